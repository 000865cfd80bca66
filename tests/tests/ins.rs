//! Every line of `ins/*.ins` on both engines, on any host.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]

use emu_tests::judge::compare::differences;
use emu_tests::judge::{line, machine};
use std::path::Path;

fn lines_agree(engine: &str) {
    let mut machine = machine::Machine::new(machine::engine(engine).expect("the engine exists"), 0)
        .expect("memory suffices");
    let mut failures = Vec::new();
    let mut count = 0;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ins");
    for entry in std::fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        for (number, text) in text.lines().enumerate().filter(|(_, text)| !text.starts_with('#')) {
            let (case, after) =
                line::read(text).unwrap_or_else(|| panic!("{}:{}: {text}", path.display(), number + 1));
            let ours = machine.run(&case);
            let parts = differences(&case, &after, &ours);
            count += 1;
            if !parts.is_empty() {
                failures.push(format!("{parts:?}\n  {text}\n  ours: {}", line::write(&case, &ours)));
            }
        }
    }
    assert!(count > 0, "no line found");
    assert!(failures.is_empty(), "{} of {count} lines differ\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn lines_agree_with_the_interpreter() {
    lines_agree("interp");
}

#[test]
fn lines_agree_with_the_stepper() {
    lines_agree("stepper");
}
