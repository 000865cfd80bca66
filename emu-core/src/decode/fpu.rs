//! The instruction table, x87 part.

use super::{Choice, Lower};

pub(super) fn select(_: &mut Lower<'_>) -> Choice {
    Choice::Missing
}
