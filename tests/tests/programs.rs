//! Programs nobody here wrote, run natively and under emu: the outputs must be the same to the byte.
#![allow(missing_docs, reason = "tests are named by what they show")]

use emu_tests::{compare_cases, fixtures, native, program};

#[test]
fn busybox_applets_give_what_they_give_natively() {
    let Some(busybox) = program("busybox", &["/bin/busybox", "/usr/bin/busybox"], "busybox-static") else {
        return;
    };
    if native() {
        compare_cases(&busybox, &["sh"], "busybox.txt", fixtures);
    }
}
