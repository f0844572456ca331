//! Boxes that are written.

/// Boxes, one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes zeros.
    pub(crate) fn zeros(&mut self, length: usize) -> &mut Self {
        self.0.resize(self.0.len() + length, 0);
        self
    }

    /// Writes a box. Its content is shorter than 4 GB.
    pub(crate) fn boxed(&mut self, kind: &[u8; 4], content: impl FnOnce(&mut Self)) -> &mut Self {
        let at = self.0.len();
        self.u32(0).bytes(kind);
        content(self);
        let length = u32::try_from(self.0.len() - at).unwrap_or(u32::MAX);
        if let Some(size) = self.0.get_mut(at..at + 4) {
            size.copy_from_slice(&length.to_be_bytes());
        }
        self
    }

    /// Writes a full box.
    pub(crate) fn full(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.boxed(kind, |full| {
            full.u32(u32::from(version) << 24 | flags);
            content(full);
        })
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}
