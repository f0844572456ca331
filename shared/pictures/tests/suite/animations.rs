//! Animations: frames, times, repetitions, and what cannot move.

use credlink_pictures::{OmissionReason, PictureType};
use gif::{DisposalMethod, Repeat};

use crate::samples::{
    BLUE, GREEN, GifFrame, RED, Seen, YELLOW, assert_near, gif, quarters, rendered, seen, side, webp_frames,
};

/// Renders at this size, and decodes the only rendition.
fn moved(bytes: &[u8], longest: u32) -> Vec<(Seen, u32)> {
    let result = rendered(bytes, &[side(longest)]).unwrap();
    let [made] = result.renditions.as_slice() else { panic!("{:?}", result.renditions) };
    assert_eq!(made.format, PictureType::WebP);
    let frames = webp_frames(&made.bytes);
    assert_eq!(frames.len(), made.frames as usize);
    assert_eq!((frames[0].0.width, frames[0].0.height), (made.width, made.height));
    frames
}

/// Returns the number of times that the rendition of an animation is played.
fn plays(bytes: &[u8]) -> u16 {
    let made = rendered(bytes, &[side(300)]).unwrap().renditions.swap_remove(0).bytes;
    let place = made.windows(4).position(|four| four == b"ANIM").unwrap() + 12;
    u16::from_le_bytes([made[place], made[place + 1]])
}

fn first([red, green, blue, _]: [u8; 4]) -> [[u8; 3]; 1] {
    [[red, green, blue]]
}

#[test]
fn a_gif_becomes_an_animated_webp() {
    let frames = [
        GifFrame::filled([0, 0, 80, 40], 0, 10),
        // Only the right half changes.
        GifFrame::filled([40, 0, 40, 40], 2, 25),
        GifFrame::filled([0, 0, 80, 40], 3, 7),
    ];
    let frames = moved(&gif(80, 40, Repeat::Infinite, &frames), 40);
    let times: Vec<_> = frames.iter().map(|(_, time)| *time).collect();
    assert_eq!(times, [100, 250, 70]);
    let sides = |frame: usize| [frames[frame].0.corners()[0], frames[frame].0.corners()[1]];
    assert_near(sides(0), [RED, RED], 12);
    assert_near(sides(1), [RED, BLUE], 12);
    assert_near(sides(2), [YELLOW, YELLOW], 12);
}

#[test]
fn no_jpeg_is_made_of_an_animation_and_the_result_says_so() {
    let frames = [GifFrame::filled([0, 0, 8, 8], 0, 10), GifFrame::filled([0, 0, 8, 8], 1, 10)];
    let result = rendered(&gif(8, 8, Repeat::Infinite, &frames), &[side(8)]).unwrap();
    assert_eq!(result.facts.frames, 2);
    let [omission] = result.omissions.as_slice() else { panic!("{:?}", result.omissions) };
    assert_eq!(omission.reason, OmissionReason::CannotMove { format: PictureType::Jpeg });
}

#[test]
fn disposal_restores_and_clears() {
    let mut restored = GifFrame::filled([0, 0, 20, 40], 1, 10);
    restored.dispose = DisposalMethod::Previous;
    let mut cleared = GifFrame::filled([20, 0, 20, 40], 2, 10);
    cleared.dispose = DisposalMethod::Background;
    let frames =
        [GifFrame::filled([0, 0, 40, 40], 0, 10), restored, cleared, GifFrame::filled([0, 0, 1, 1], 4, 10)];
    let frames = moved(&gif(40, 40, Repeat::Infinite, &frames), 40);
    let at = |frame: usize, x| frames[frame].0.at(x, 20);
    assert_near(first(at(1, 10)), [GREEN], 12);
    assert_near(first(at(2, 10)), [RED], 12);
    assert_near(first(at(2, 30)), [BLUE], 12);
    assert_near(first(at(3, 10)), [RED], 12);
    assert_eq!(at(3, 30)[3], 0);
}

#[test]
fn frames_that_show_the_same_are_stored_once_and_keep_their_time() {
    let frames = [
        GifFrame::filled([0, 0, 8, 8], 0, 10),
        GifFrame::filled([0, 0, 8, 8], 0, 20),
        GifFrame::filled([0, 0, 8, 8], 1, 30),
    ];
    let times: Vec<_> =
        moved(&gif(8, 8, Repeat::Infinite, &frames), 8).iter().map(|(_, time)| *time).collect();
    assert_eq!(times, [300, 300]);
}

#[test]
fn a_frame_without_a_delay_is_shown_as_browsers_do() {
    let frames = [GifFrame::filled([0, 0, 8, 8], 0, 0), GifFrame::filled([0, 0, 8, 8], 1, 2)];
    let times: Vec<_> =
        moved(&gif(8, 8, Repeat::Infinite, &frames), 8).iter().map(|(_, time)| *time).collect();
    assert_eq!(times, [100, 20]);
}

#[test]
fn repetitions_are_kept() {
    let frames = || [GifFrame::filled([0, 0, 8, 8], 0, 10), GifFrame::filled([0, 0, 8, 8], 1, 10)];
    assert_eq!(plays(&gif(8, 8, Repeat::Infinite, &frames())), 0);
    // GIF counts the repetitions, WebP counts how often it is played.
    assert_eq!(plays(&gif(8, 8, Repeat::Finite(2), &frames())), 3);
}

fn apng(hidden_default: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 40, 40);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_animated(2, 5).unwrap();
    encoder.set_sep_def_img(hidden_default).unwrap();
    encoder.set_frame_delay(3, 10).unwrap();
    let mut writer = encoder.write_header().unwrap();
    let filled =
        |pixel: [u8; 4], count| [pixel].into_iter().cycle().take(count).flatten().collect::<Vec<u8>>();
    if hidden_default {
        writer.write_image_data(&filled([0, 0, 0, 255], 1600)).unwrap();
    }
    writer.write_image_data(&filled([220, 30, 30, 255], 1600)).unwrap();
    writer.set_frame_dimension(20, 40).unwrap();
    writer.set_frame_position(20, 0).unwrap();
    writer.set_blend_op(png::BlendOp::Source).unwrap();
    writer.write_image_data(&filled([30, 200, 30, 0], 800)).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn an_animated_png_becomes_an_animated_webp() {
    for hidden_default in [false, true] {
        let bytes = apng(hidden_default);
        let frames = moved(&bytes, 40);
        assert_eq!(frames.iter().map(|(_, time)| *time).collect::<Vec<_>>(), [300, 300]);
        assert_near(first(frames[0].0.at(30, 20)), [RED], 12);
        // The patch replaces what was there, so its transparency is seen.
        assert_eq!(frames[1].0.at(30, 20)[3], 0);
        assert_near(first(frames[1].0.at(8, 20)), [RED], 12);
        assert_eq!(plays(&bytes), 5);
    }
}

#[test]
fn an_animated_webp_stays_one() {
    let frames = [GifFrame::filled([0, 0, 60, 40], 0, 10), GifFrame::filled([20, 10, 20, 20], 2, 20)];
    let made = rendered(&gif(60, 40, Repeat::Finite(1), &frames), &[side(60)]).unwrap();
    let animation = &made.renditions[0].bytes;
    let again = rendered(animation, &[side(30)]).unwrap();
    assert_eq!((again.facts.frames, again.facts.format), (2, PictureType::WebP));
    let frames = moved(animation, 30);
    assert_eq!(frames.iter().map(|(_, time)| *time).collect::<Vec<_>>(), [100, 200]);
    assert_near(first(frames[1].0.at(15, 10)), [BLUE], 16);
    assert_near(first(frames[1].0.at(2, 10)), [RED], 16);
    assert_eq!(plays(animation), 2);
}

#[test]
fn an_animation_of_one_frame_is_a_still_picture() {
    let one = gif(40, 40, Repeat::Infinite, &[GifFrame::filled([0, 0, 40, 40], 2, 10)]);
    let result = rendered(&one, &[side(20)]).unwrap();
    assert_eq!((result.facts.frames, result.renditions.len(), result.omissions.len()), (1, 2, 0));
    assert_near([seen(&result.renditions[0].bytes).corners()[0]], [BLUE], 12);
}

#[test]
fn an_animation_is_stored_in_the_part_that_changes() {
    let still: Vec<u8> = quarters(80, 80).iter().map(|pixel| u8::from(*pixel == GREEN)).collect();
    let whole = GifFrame { area: [0, 0, 80, 80], pixels: still, delay: 10, dispose: DisposalMethod::Keep };
    let bytes = gif(80, 80, Repeat::Infinite, &[whole, GifFrame::filled([33, 41, 6, 5], 3, 10)]);
    let made = rendered(&bytes, &[side(80)]).unwrap().renditions.swap_remove(0).bytes;
    let second = made.windows(4).enumerate().filter(|(_, four)| four == b"ANMF").nth(1).unwrap().0 + 8;
    // Half of left and top, and width and height less one, in three bytes each. Left and top are rounded down to even numbers.
    assert_eq!(made[second..second + 12], [16, 0, 0, 20, 0, 0, 6, 0, 0, 5, 0, 0]);
}
