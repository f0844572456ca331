//! The values that pass from the recorder to the lines.

/// A label of a metric that is a dimension.
pub(super) type Label = (String, String);

/// A name with its values.
pub(super) type Named = (String, Values);

/// The values of one name since the last flush.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// A counter's growth.
    Count(u64),
    /// A gauge's value.
    One(f64),
    /// A histogram's values.
    Many(Vec<f64>),
}
