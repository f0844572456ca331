// sharp's side of the benchmark of pictures: one thread, no cache, and one decoding for all renditions.
//
//   FILE FORMATS TIMES --into FOLDER            renders, and prints processor time and memory as JSON
//   --likeness FILE FORMATS FOLDER FOLDER       prints the least SSIM of the renditions in each folder as JSON
import { readFile, writeFile } from "node:fs/promises";
import sharp from "sharp";

sharp.concurrency(1);
sharp.cache(false);
const SIDES = [["large", 1200], ["medium", 800], ["thumbnail", 300]];

async function rendered(input, formats) {
  const made = [];
  let from = sharp(input).autoOrient().toColourspace("srgb");
  for (const [name, side] of SIDES) {
    // `resize` before `raw`: the decoder reads a JPEG at a half, a quarter or an eighth of its size.
    const { data, info } = await from
      .resize({ width: side, height: side, fit: "inside", withoutEnlargement: true })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    made.push([`${name}.jpg`, await sharp(data, raw).jpeg({ quality: 80 }).toBuffer()]);
    if (formats === "both") {
      made.push([`${name}.webp`, await sharp(data, raw).webp({ quality: 80, effort: 4 }).toBuffer()]);
    }
    from = sharp(data, raw);
  }
  return made;
}

// The mean SSIM of blocks of 8 by 8 pixels of luma (Wang et al., 2004).
function ssim(a, b, width, height) {
  const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
  let [sum, blocks] = [0, 0];
  for (let y = 0; y + 8 <= height; y += 4) {
    for (let x = 0; x + 8 <= width; x += 4) {
      let [sa, sb, aa, bb, ab] = [0, 0, 0, 0, 0];
      for (let dy = 0; dy < 8; dy++) {
        for (let at = (y + dy) * width + x, end = at + 8; at < end; at++) {
          sa += a[at];
          sb += b[at];
          aa += a[at] * a[at];
          bb += b[at] * b[at];
          ab += a[at] * b[at];
        }
      }
      const [ma, mb] = [sa / 64, sb / 64];
      const [va, vb, cov] = [aa / 64 - ma * ma, bb / 64 - mb * mb, ab / 64 - ma * mb];
      sum += ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
      blocks++;
    }
  }
  return sum / blocks;
}

async function luma(image) {
  return image.toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
}

async function likeness(file, formats, folders) {
  const input = await readFile(file);
  const least = [1, 1];
  for (const [name, side] of SIDES) {
    // The original in full, decoded at its whole size, and made smaller without a loss of encoding.
    const whole = await sharp(input).toColourspace("srgb").png({ compressionLevel: 0 }).toBuffer();
    const resized = sharp(whole).resize({ width: side, height: side, fit: "inside" });
    const { data, info } = await luma(sharp(await resized.png({ compressionLevel: 0 }).toBuffer()));
    for (const kind of formats === "both" ? ["jpg", "webp"] : ["jpg"]) {
      for (const [which, folder] of folders.entries()) {
        const other = await luma(sharp(await readFile(`${folder}/${name}.${kind}`)));
        if (other.info.width !== info.width || other.info.height !== info.height) {
          throw new Error(`${folder}/${name}.${kind} is ${other.info.width} by ${other.info.height} pixels`);
        }
        least[which] = Math.min(least[which], ssim(data, other.data, info.width, info.height));
      }
    }
  }
  return { ours: least[0], sharp: least[1] };
}

const words = process.argv.slice(2);
if (words[0] === "--likeness") {
  console.log(JSON.stringify(await likeness(words[1], words[2], words.slice(3))));
} else {
  const [file, formats, times, , folder] = words;
  const input = await readFile(file);
  let made = [];
  const before = process.cpuUsage();
  for (let time = 0; time < Number(times); time++) {
    made = await rendered(input, formats);
  }
  const used = process.cpuUsage(before);
  for (const [name, bytes] of made) {
    await writeFile(`${folder}/${name}`, bytes);
  }
  console.log(JSON.stringify({
    cpu_ms: (used.user + used.system) / 1000 / Number(times),
    peak_kb: process.resourceUsage().maxRSS,
    bytes: made.reduce((sum, [, bytes]) => sum + bytes.length, 0),
  }));
}
