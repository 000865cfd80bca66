//! Areas against a model: a map of pages.

use std::collections::BTreeMap;

use emu_core::mem::{Access, PAGE_SIZE, PageProt};

use super::fault::{BadAccess, fault_in};
use super::map::{Limits, NewArea, Place, map, protect, unmap};
use super::remap::{Remap, RemapFlags, remap};
use super::*;
use crate::kernel::Config;
use crate::seam::scripted::ScriptedHost;

const BASE: u64 = 0x10_0000;
const RW: PageProt = PageProt::READ.union(PageProt::WRITE);
const LIMITS: Limits = Limits {
    address_space: u64::MAX,
    data: u64::MAX,
    stack: 1 << 20,
    locked: u64::MAX,
    memory: 1 << 30,
    low_addresses: false,
};

fn machine() -> (Kernel, ScriptedHost, MmId) {
    let mut k = Kernel::new(Config::default());
    let space = k.mem.create_space();
    let id = k.mms.insert(Mm::new(space));
    (k, ScriptedHost::new(1), id)
}

/// Pages with their rights.
type Model = BTreeMap<u64, PageProt>;

fn check(k: &Kernel, id: MmId, model: &Model) {
    let mm = k.mms.get(id).unwrap();
    let mut pages = Model::new();
    let mut last: Option<&Area> = None;
    for area in mm.areas.values() {
        assert!(area.start < area.end);
        if let Some(last) = last {
            assert!(last.end <= area.start, "areas overlap");
            assert!(last.end < area.start || last.prot != area.prot, "areas are merged");
        }
        (area.start..area.end)
            .step_by(4096)
            .for_each(|page| assert!(pages.insert(page, area.prot).is_none()));
        last = Some(area);
    }
    assert_eq!(&pages, model);
    assert_eq!(mm.usage.total, model.len() as u64);
    let data = model.values().filter(|prot| prot.contains(PageProt::WRITE)).count();
    assert_eq!(mm.usage.data, data as u64);
    let mut at = 0;
    while let Some(page) = k.mem.next_mapped(mm.space, at..layout::TASK_SIZE) {
        assert!(model.contains_key(&page), "a page outside of areas");
        at = page + PAGE_SIZE;
    }
}

#[test]
fn areas_follow_a_model_of_pages() {
    let (mut k, mut host, id) = machine();
    let mut model = Model::new();
    let mut seed = 1u64;
    let mut random = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for _ in 0..4000 {
        let (start, len) = (BASE + random(40) * PAGE_SIZE, (1 + random(8)) * PAGE_SIZE);
        let range = start..start + len;
        let pages = || range.clone().step_by(4096);
        let prot =
            [PageProt::empty(), PageProt::READ, RW, PageProt::READ][usize::try_from(random(4)).unwrap()];
        match random(5) {
            0 => {
                map(&mut k, id, Place::Fixed(start), len, NewArea::anonymous(prot), &LIMITS).unwrap();
                model.extend(pages().map(|page| (page, prot)));
            }
            1 => {
                unmap(&mut k, id, range.clone()).unwrap();
                model.retain(|page, _| !range.contains(page));
            }
            2 => {
                let covered = pages().take_while(|page| model.contains_key(page)).count();
                let done = protect(&mut k, id, range.clone(), prot, &LIMITS);
                assert_eq!(done.is_ok(), covered == pages().count());
                model.extend(pages().take(covered).map(|page| (page, prot)));
            }
            3 => {
                let access = [Access::Read, Access::Write][usize::try_from(random(2)).unwrap()];
                let expected = match model.get(&start) {
                    None => Err(BadAccess::Unmapped),
                    Some(prot) if prot.is_empty() => Err(BadAccess::Forbidden),
                    Some(prot) if access == Access::Write && !prot.contains(PageProt::WRITE) => {
                        Err(BadAccess::Forbidden)
                    }
                    Some(_) => Ok(()),
                };
                assert_eq!(fault_in(&mut k, &mut host, id, start, access, &LIMITS), expected);
            }
            _ => {
                let new = BASE + random(40) * PAGE_SIZE;
                let flags = RemapFlags::MAYMOVE | RemapFlags::FIXED;
                let what = Remap { old: start, old_size: len, new_size: len, flags, new };
                let one =
                    pages().all(|page| model.get(&page) == model.get(&start) && model.contains_key(&page));
                let apart = new + len <= start || start + len <= new;
                if one && apart {
                    assert_eq!(remap(&mut k, &mut host, id, &what, &LIMITS), Ok(new));
                    let prot = model[&start];
                    model.retain(|page, _| !range.contains(page));
                    model.extend((new..new + len).step_by(4096).map(|page| (page, prot)));
                } else if !apart {
                    assert_eq!(remap(&mut k, &mut host, id, &what, &LIMITS), Err(Errno::EINVAL));
                }
            }
        }
        check(&k, id, &model);
    }
    put(&mut k, id);
    assert!(k.mms.is_empty());
}

#[test]
fn a_terabyte_of_reservations_costs_nothing() {
    let (mut k, _, id) = machine();
    let before = k.mem.used();
    let mut new = NewArea::anonymous(PageProt::empty());
    new.flags = AreaFlags::NORESERVE;
    let at = map(&mut k, id, Place::Hint(0), 1 << 40, new, &LIMITS).unwrap();
    assert_eq!(k.mem.used(), before);
    unmap(&mut k, id, at..at + (1 << 40)).unwrap();
    check(&k, id, &Model::new());
}

#[test]
fn shared_memory_goes_with_its_last_area() {
    let (mut k, mut host, id) = machine();
    let object = k.mem.create_object();
    let backing = Backing::Object { object, offset: 0, shared: true, inode: None, file: None };
    let new = NewArea { backing, ..NewArea::anonymous(RW) };
    map(&mut k, id, Place::Fixed(BASE), 4 * PAGE_SIZE, new, &LIMITS).unwrap();
    let child = fork(&mut k, id).unwrap();
    unmap(&mut k, id, BASE + PAGE_SIZE..BASE + 2 * PAGE_SIZE).unwrap();
    fault_in(&mut k, &mut host, child, BASE, Access::Write, &LIMITS).unwrap();
    put(&mut k, id);
    assert!(k.mapped_bytes.is_mapped(object));
    put(&mut k, child);
    assert!(!k.mapped_bytes.is_mapped(object));
}

#[test]
fn a_stack_grows_to_its_limit_and_keeps_its_guard() {
    let (mut k, mut host, id) = machine();
    let mut new = NewArea::anonymous(RW);
    new.flags = AreaFlags::GROWS_DOWN;
    let top = BASE + (8 << 20);
    map(&mut k, id, Place::Fixed(top - PAGE_SIZE), PAGE_SIZE, new, &LIMITS).unwrap();
    assert_eq!(fault_in(&mut k, &mut host, id, top - (1 << 20), Access::Write, &LIMITS), Ok(()));
    let beyond = top - (1 << 20) - 1;
    assert_eq!(fault_in(&mut k, &mut host, id, beyond, Access::Write, &LIMITS), Err(BadAccess::Unmapped));
}
