//! The canvas on which the frames of an animation are put together.

use crate::Refusal;
use crate::bitmap::{Bitmap, Model};

/// Gets each frame of an animation as it is seen, in RGBA, with its time in milliseconds.
pub(crate) type Visitor<'a> = &'a mut dyn FnMut(&Bitmap, u32) -> Result<(), Refusal>;

/// The treatment of a patch's area before the next patch is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposal {
    Keep,
    /// The area becomes transparent.
    Clear,
    /// The area becomes as it was before the patch.
    Restore,
}

/// A part of the canvas that a frame changes.
#[derive(Debug)]
pub(crate) struct Patch {
    pub left: u32,
    pub top: u32,
    /// In RGBA.
    pub pixels: Bitmap,
    /// Lets what was there show through transparent pixels, which replace it otherwise.
    pub blended: bool,
    pub disposal: Disposal,
}

/// The picture as it is seen at one time of an animation.
#[derive(Debug)]
pub(crate) struct Canvas(Bitmap);

impl Canvas {
    /// Returns a transparent canvas.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self(Bitmap::blank(width, height, Model::Rgba))
    }

    /// Draws a patch, shows the canvas, and disposes of the patch. What lies beyond the canvas is not drawn.
    pub(crate) fn show(
        &mut self,
        patch: Patch,
        show: impl FnOnce(&Bitmap) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let before = (patch.disposal == Disposal::Restore).then(|| self.0.samples.clone());
        self.draw(&patch);
        show(&self.0)?;
        match (patch.disposal, before) {
            (Disposal::Restore, Some(before)) => self.0.samples = before,
            (Disposal::Clear, _) => self.each_row(&patch, |canvas, _| canvas.fill(0)),
            _ => {}
        }
        Ok(())
    }

    fn draw(&mut self, patch: &Patch) {
        let blended = patch.blended;
        self.each_row(patch, |canvas, patch| {
            if !blended {
                canvas.copy_from_slice(patch);
                return;
            }
            for (under, over) in canvas.chunks_exact_mut(4).zip(patch.chunks_exact(4)) {
                blend(under, over);
            }
        });
    }

    /// Calls `change` with each row of the canvas that the patch covers, and the patch's row.
    fn each_row(&mut self, patch: &Patch, mut change: impl FnMut(&mut [u8], &[u8])) {
        let (left, top) = (patch.left.min(self.0.width), patch.top.min(self.0.height));
        let width = patch.pixels.width.min(self.0.width - left) as usize * 4;
        let height = patch.pixels.height.min(self.0.height - top) as usize;
        let (canvas_row, patch_row) = (self.0.row_bytes(), patch.pixels.row_bytes());
        let start = left as usize * 4;
        if width == 0 {
            return;
        }
        let rows = self.0.samples.chunks_exact_mut(canvas_row).skip(top as usize).take(height);
        for (canvas, patch) in rows.zip(patch.pixels.samples.chunks_exact(patch_row)) {
            change(&mut canvas[start..start + width], &patch[..width]);
        }
    }
}

/// Puts a pixel over another one; neither colour is multiplied by its opacity.
fn blend(under: &mut [u8], over: &[u8]) {
    match over[3] {
        0 => {}
        255 => under.copy_from_slice(over),
        opacity => {
            let over_part = u32::from(opacity) * 255;
            let under_part = u32::from(under[3]) * (255 - u32::from(opacity));
            let all = over_part + under_part;
            for (under, over) in under[..3].iter_mut().zip(over) {
                *under =
                    ((u32::from(*over) * over_part + u32::from(*under) * under_part + all / 2) / all) as u8;
            }
            under[3] = ((all + 127) / 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(left: u32, pixels: &[[u8; 4]], disposal: Disposal, blended: bool) -> Patch {
        let samples = pixels.concat();
        let pixels = Bitmap { width: pixels.len() as u32, height: 1, model: Model::Rgba, samples };
        Patch { left, top: 0, pixels, blended, disposal }
    }

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const NONE: [u8; 4] = [0, 0, 0, 0];

    fn shown(canvas: &mut Canvas, patch: Patch) -> Vec<[u8; 4]> {
        let mut seen = Vec::new();
        canvas
            .show(patch, |bitmap| {
                seen = bitmap.samples.as_chunks::<4>().0.to_vec();
                Ok(())
            })
            .unwrap();
        seen
    }

    #[test]
    fn patches_are_kept_cleared_and_restored() {
        let mut canvas = Canvas::new(3, 1);
        assert_eq!(shown(&mut canvas, patch(0, &[RED, RED], Disposal::Keep, true)), [RED, RED, NONE]);
        assert_eq!(shown(&mut canvas, patch(1, &[BLUE, NONE], Disposal::Restore, true)), [RED, BLUE, NONE]);
        assert_eq!(shown(&mut canvas, patch(2, &[BLUE], Disposal::Clear, true)), [RED, RED, BLUE]);
        assert_eq!(shown(&mut canvas, patch(0, &[NONE], Disposal::Keep, false)), [NONE, RED, NONE]);
    }

    #[test]
    fn what_lies_beyond_the_canvas_is_not_drawn() {
        let mut canvas = Canvas::new(2, 1);
        assert_eq!(shown(&mut canvas, patch(1, &[RED, RED, RED], Disposal::Keep, true)), [NONE, RED]);
        assert_eq!(shown(&mut canvas, patch(9, &[BLUE], Disposal::Clear, true)), [NONE, RED]);
    }

    #[test]
    fn half_opacity_mixes() {
        let mut canvas = Canvas::new(1, 1);
        shown(&mut canvas, patch(0, &[BLUE], Disposal::Keep, true));
        assert_eq!(
            shown(&mut canvas, patch(0, &[[255, 0, 0, 128]], Disposal::Keep, true)),
            [[128, 0, 127, 255]]
        );
    }
}
