//! The stack of a task: return addresses by frame pointers, and where they lie.
//!
//! **Invariant**: as in [`super`]; a stack that makes no sense ends the walk.

use crate::kernel::Kernel;
use crate::mm::Backing;
use crate::observe::peek;
use crate::seam::Host;
use crate::task::TaskId;

/// Most frames of one stack.
const DEEPEST: usize = 64;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The address in the process.
    pub address: u64,
    /// The file it lies in; empty if none.
    pub file: Vec<u8>,
    /// Offset in that file.
    pub offset: u64,
    /// The function and the distance from its start, `name+0x10`.
    pub symbol: Option<String>,
}

/// The frames of a task in the kernel, innermost first.
pub(crate) fn walk(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) -> Vec<Frame> {
    if !k.tasks.get(tid).is_some_and(|task| task.in_kernel) {
        return Vec::new();
    }
    let regs = k.user_regs(tid);
    let mut frames = vec![place(k, host, tid, regs.ip)];
    let mut bp = regs.bp;
    while frames.len() < DEEPEST {
        let words = peek::read_some(k, host, tid, bp, 16);
        let Ok(words) = <[u8; 16]>::try_from(words) else { break };
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&words[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (next, back) = (word(0), word(8));
        let frame = place(k, host, tid, back);
        if frame.file.is_empty() {
            break;
        }
        frames.push(frame);
        if next <= bp {
            break;
        }
        bp = next;
    }
    frames
}

fn place(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, address: u64) -> Frame {
    let none = Frame { address, file: Vec::new(), offset: 0, symbol: None };
    let Some(mm) = k.tasks.get(tid).and_then(|task| task.mm).and_then(|mm| k.mms.get(mm)) else {
        return none;
    };
    let Some(area) = mm.find(address) else { return none };
    let Backing::Object { offset, file: Some(loc), .. } = area.backing else { return none };
    let offset = offset + (address - area.start);
    let file = k.path_for(tid, loc);
    let symbol = crate::task::death::place(k, host, tid, address);
    Frame { address, file, offset, symbol }
}
