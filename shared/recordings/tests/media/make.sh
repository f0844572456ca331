#!/usr/bin/env bash
# Makes the recordings of the tests with ffmpeg 5, into the folder of this script. The tests know their segments and samples, so
# run it only to add one: other versions of the encoders make other bytes.
set -euo pipefail
cd "$(dirname "$0")"

make() { ffmpeg -hide_banner -loglevel error -y "$@"; }
video=(-f lavfi -i testsrc2=size=96x64:rate=25:duration=10)
audio=(-f lavfi -i sine=frequency=440:duration=10:sample_rate=16000)
h264=(-c:v libx264 -preset fast -crf 38 -g 50 -pix_fmt yuv420p -bf 2)
h265=(-c:v libx265 -preset fast -crf 40 -tag:v hvc1 -x265-params keyint=50:log-level=error -pix_fmt yuv420p)
aac=(-c:a aac -b:a 16k)

make "${video[@]}" "${audio[@]}" "${h264[@]}" "${aac[@]}" -shortest progressive.mp4
make "${video[@]}" "${audio[@]}" "${h264[@]}" "${aac[@]}" -movflags faststart faststart.mp4
make "${video[@]}" "${audio[@]}" "${h265[@]}" "${aac[@]}" hevc.mp4
make "${video[@]}" -c:v libx264 -preset fast -crf 40 -g 10000 -pix_fmt yuv420p -an onegop.mp4
make "${video[@]}" -vf "select='not(mod(n,3))+gt(n,120)'" -vsync vfr "${h264[@]}" vfr.mp4
make "${video[@]}" "${audio[@]}" "${h264[@]}" "${aac[@]}" \
    -movflags +frag_keyframe+empty_moov+default_base_moof -frag_duration 1000000 fragmented.mp4
make "${video[@]}" "${audio[@]}" "${h264[@]}" "${aac[@]}" \
    -movflags +cmaf+frag_keyframe -frag_duration 1000000 cmaf.mp4
make "${video[@]}" -f lavfi -i sine=frequency=440:duration=10:sample_rate=8000 -t 4 "${h264[@]}" -c:a pcm_mulaw mulaw.mov
make -i progressive.mp4 -t 1 -c copy other.mkv
# Fragments with offsets from the beginning of the file.
make -i progressive.mp4 -t 2 -c copy -movflags frag_keyframe+empty_moov absolute.mp4
# Fragments with sound that no browser plays.
make -i mulaw.mov -c copy -movflags frag_keyframe+empty_moov+default_base_moof mulawfragments.mov
# Pictures that begin half a second after the sound, and a file that was cut between two key frames.
make -itsoffset 0.5 -i progressive.mp4 -i progressive.mp4 -map 0:v -map 1:a -t 3 -c copy delayed.mp4
make -ss 1 -i progressive.mp4 -t 4 -c copy trimmed.mp4
