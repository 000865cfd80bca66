//! Reading guest memory for those who watch: the same bytes a debugger would see, without leaving a trace.
//!
//! **Invariant**: nothing that a guest can see changes: no page is mapped, no fault is counted, no stack grows.

use emu_core::mem::{MemFault, PAGE_SIZE, Privilege};

use crate::kernel::Kernel;
use crate::mm::Backing;
use crate::seam::Host;
use crate::task::TaskId;

/// Reads up to `len` bytes at `addr` of a task; fewer if not all can be read.
pub fn read_some(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, addr: u64, len: usize) -> Vec<u8> {
    let mut data = vec![0; len];
    let mut done = 0;
    let Some(mm) = k.tasks.get(tid).and_then(|task| task.mm) else { return Vec::new() };
    let Some(space) = k.mms.get(mm).map(|mm| mm.space) else { return Vec::new() };
    while done < len {
        let at = addr.wrapping_add(done as u64);
        let Err((n, fault)) = k.mem.read(space, at, &mut data[done..], Privilege::User) else { return data };
        done += n;
        let missing = match fault {
            MemFault::NotPresent(missing) => missing,
            _ => break,
        };
        let in_page = usize::try_from(PAGE_SIZE - missing % PAGE_SIZE).unwrap_or(1).min(len - done);
        match absent(k, host, tid, missing, in_page) {
            Some(bytes) => data[done..done + in_page].copy_from_slice(&bytes),
            None => break,
        }
        done += in_page;
    }
    data.truncate(done);
    data
}

/// What a page that is not there yet would hold: zeros, or the file's bytes.
fn absent(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, addr: u64, len: usize) -> Option<Vec<u8>> {
    let mm = k.tasks.get(tid)?.mm?;
    let area = k.mms.get(mm)?.find(addr)?;
    if area.prot.is_empty() {
        return None;
    }
    let mut bytes = vec![0; len];
    if let Backing::Object { object, offset, inode, .. } = area.backing {
        let at = offset + (addr - area.start);
        if inode.is_some() {
            crate::vfs::fill_page(k, host, object, at / PAGE_SIZE).ok()?;
        }
        k.mem.object_read(object, at, &mut bytes);
    }
    Some(bytes)
}
