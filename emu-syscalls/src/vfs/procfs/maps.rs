//! maps
use crate::kernel::Kernel;
use crate::mm::{Area, Mm};
/// The name.
#[must_use]
pub fn area_name(k: &Kernel, mm: &Mm, area: &Area) -> Vec<u8> {
    let _ = (k, mm, area);
    Vec::new()
}
