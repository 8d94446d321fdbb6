//! x
/// f
#[derive(Default)]
pub struct Failures;
