//! The trees of made-up files hold together.

use crate::kernel::{Config, Kernel};
use crate::seam::scripted::ScriptedHost;
use crate::task::TaskId;
use crate::vfs::synth::{self, Synth, SynthKind};

/// Walks everything below `root`: each listed name is found by lookup, each file without a task can be read.
fn walk(k: &mut Kernel, root: Synth) -> usize {
    let mut host = ScriptedHost::new(1);
    let tid = TaskId(1);
    let mut todo = vec![root];
    let mut seen = 0;
    while let Some(node) = todo.pop() {
        for (name, child) in synth::list(k, tid, &node) {
            seen += 1;
            let text = String::from_utf8_lossy(&name).into_owned();
            assert_eq!(synth::lookup(k, tid, &node, &name), Some(child.clone()), "{text} in {node:?}");
            match synth::attr(k, &child).kind {
                SynthKind::Dir => todo.push(child),
                SynthKind::File if synth::attr(k, &child).mode & 0o444 != 0 && text != "kmsg" => {
                    assert!(synth::read(k, &mut host, tid, &child).is_ok(), "{child:?}");
                }
                _ => {}
            }
        }
    }
    seen
}

#[test]
fn every_listed_file_of_proc_and_sys_is_found_and_read() {
    let mut k = Kernel::new(Config::default());
    assert!(walk(&mut k, Synth::ProcRoot) > 200);
    assert!(walk(&mut k, Synth::SysRoot) > 100);
}

#[test]
fn a_written_setting_reads_back() {
    let mut k = Kernel::new(Config::default());
    let mut host = ScriptedHost::new(1);
    let tid = TaskId(1);
    let mut node = Synth::ProcRoot;
    for name in ["sys", "net", "ipv4", "ip_forward"] {
        node = synth::lookup(&mut k, tid, &node, name.as_bytes()).expect("exists");
    }
    assert_eq!(synth::read(&mut k, &mut host, tid, &node), Ok(b"0\n".to_vec()));
    assert_eq!(synth::write(&mut k, &mut host, tid, &node, 0, b"1\n"), Ok(2));
    assert_eq!(synth::read(&mut k, &mut host, tid, &node), Ok(b"1\n".to_vec()));
    assert!(synth::write(&mut k, &mut host, tid, &node, 0, b"x\n").is_err());
}

#[test]
fn the_log_reads_back_what_was_printed() {
    let mut k = Kernel::new(Config::default());
    let boot = String::from_utf8(k.log.take_unread(100_000)).expect("ascii");
    assert!(boot.starts_with("<5>[    0.000000] Linux version "), "{boot}");
    k.printk(crate::log::Level::Err, "one\ntwo");
    assert_eq!(k.log.take_unread(5), b"<3>[ ");
    assert_eq!(k.log.take_unread(100), b"   0.000000] one\n<3>[    0.000000] two\n");
    assert!(!k.log.has_unread());
}
