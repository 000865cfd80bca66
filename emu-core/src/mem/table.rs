//! Page tables: four levels of 512 entries, nodes shared between spaces and snapshots until written.
//!
//! Key types: [`Table`], [`Pte`]. Neighbours: [`super::space`] changes mappings, [`super::access`] walks.
//! Page numbers here are the low 36 bits of `address / PAGE_SIZE`: one table serves one half of the addresses.
//!
//! **Invariant**: a node is changed only when its whole path from the root is owned alone; a copied node counts its
//! frames once more. So "the frame has one reference" and "I came down a path of my own" together mean "mine".
//! **Invariant**: walking a range costs what is present in it, not its length.

#![allow(clippy::cast_possible_truncation, reason = "offsets in a page and indices in a node fit")]

use std::ops::ControlFlow;
use std::ops::ControlFlow::Continue;
use std::sync::Arc;

use super::frame::{Bound, Charge, Frame, Pool};
use super::{OutOfMemory, PageProt};
use crate::persist::Shared;

const ENTRIES: usize = 512;
const INDEX_BITS: u32 = 9;
/// The largest page number.
pub(super) const LAST_PAGE: u64 = (1 << (4 * INDEX_BITS)) - 1;

bitflags::bitflags! {
    /// What happened to a page through this mapping.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub(super) struct Used: u8 {
        /// Written.
        const DIRTY = 1;
        /// An engine looked it up: it may hold the host address.
        const ACCESSED = 2;
    }
}

/// A page-table entry.
#[derive(Debug, Clone)]
pub(super) enum Pte {
    /// Nothing.
    Absent,
    /// Private zeros, never written.
    Zero { prot: PageProt, used: Used },
    /// A private page; copy-on-write while the frame has other references.
    Private { prot: PageProt, used: Used, frame: Frame },
    /// A page of an object, resolved at each walk.
    Shared { prot: PageProt, used: Used, object: u32, index: u64 },
}

impl Pte {
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(super) fn prot(&self) -> PageProt {
        match self {
            Self::Absent => PageProt::empty(),
            Self::Zero { prot, .. } | Self::Private { prot, .. } | Self::Shared { prot, .. } => *prot,
        }
    }

    pub(super) fn used(&self) -> Used {
        match self {
            Self::Absent => Used::empty(),
            Self::Zero { used, .. } | Self::Private { used, .. } | Self::Shared { used, .. } => *used,
        }
    }

    /// Protection and use of a present entry.
    pub(super) fn fields(&mut self) -> Option<(&mut PageProt, &mut Used)> {
        match self {
            Self::Absent => None,
            Self::Zero { prot, used }
            | Self::Private { prot, used, .. }
            | Self::Shared { prot, used, .. } => Some((prot, used)),
        }
    }
}

/// Page numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

type Look<'a> = dyn FnMut(u64, &Pte) -> ControlFlow<()> + 'a;

trait Node: Clone {
    /// Bits of a page number below this node.
    const BITS: u32;
    fn new(pool: &Arc<Pool>, bound: Bound) -> Result<Self, OutOfMemory>;
    fn is_empty(&self) -> bool;
    fn get(&self, page: u64) -> Option<&Pte>;
    fn get_mut(&mut self, page: u64) -> Option<&mut Pte>;
    fn replace(&mut self, page: u64, pte: Pte, bound: Bound) -> Result<Pte, OutOfMemory>;
    fn look(&self, base: u64, span: Span, f: &mut Look<'_>) -> ControlFlow<()>;
    fn edit(
        &mut self,
        base: u64,
        span: Span,
        wanted: &dyn Fn(&Pte) -> bool,
        f: &mut dyn FnMut(u64, &mut Pte),
    );
    fn remove(&mut self, base: u64, span: Span, f: &mut dyn FnMut(u64, &Pte));
}

#[derive(Debug, Clone)]
struct Leaf {
    ptes: [Pte; ENTRIES],
    present: u32,
    _charge: Charge,
}

#[derive(Debug, Clone)]
struct Dir<C> {
    children: [Option<Shared<C>>; ENTRIES],
    present: u32,
    charge: Charge,
}

/// Which entry of a node with `below` bits under each entry leads to `page`.
fn entry(page: u64, below: u32) -> usize {
    ((page >> below) & (ENTRIES as u64 - 1)) as usize
}

impl Node for Leaf {
    const BITS: u32 = INDEX_BITS;

    fn new(pool: &Arc<Pool>, bound: Bound) -> Result<Self, OutOfMemory> {
        let charge = Charge::new(pool, 2, bound)?;
        Ok(Self { ptes: [const { Pte::Absent }; ENTRIES], present: 0, _charge: charge })
    }

    fn is_empty(&self) -> bool {
        self.present == 0
    }

    fn get(&self, page: u64) -> Option<&Pte> {
        let pte = &self.ptes[entry(page, 0)];
        pte.is_present().then_some(pte)
    }

    fn get_mut(&mut self, page: u64) -> Option<&mut Pte> {
        let pte = &mut self.ptes[entry(page, 0)];
        pte.is_present().then_some(pte)
    }

    fn replace(&mut self, page: u64, pte: Pte, _bound: Bound) -> Result<Pte, OutOfMemory> {
        assert!(pte.is_present(), "pages are taken away by remove");
        let old = std::mem::replace(&mut self.ptes[entry(page, 0)], pte);
        self.present += u32::from(!old.is_present());
        Ok(old)
    }

    fn look(&self, base: u64, span: Span, f: &mut Look<'_>) -> ControlFlow<()> {
        for page in span.first..=span.last {
            let pte = &self.ptes[(page - base) as usize];
            if pte.is_present() {
                f(page, pte)?;
            }
        }
        Continue(())
    }

    fn edit(
        &mut self,
        base: u64,
        span: Span,
        wanted: &dyn Fn(&Pte) -> bool,
        f: &mut dyn FnMut(u64, &mut Pte),
    ) {
        for page in span.first..=span.last {
            let pte = &mut self.ptes[(page - base) as usize];
            if pte.is_present() && wanted(pte) {
                f(page, pte);
            }
        }
    }

    fn remove(&mut self, base: u64, span: Span, f: &mut dyn FnMut(u64, &Pte)) {
        for page in span.first..=span.last {
            let pte = &mut self.ptes[(page - base) as usize];
            if pte.is_present() {
                f(page, pte);
                *pte = Pte::Absent;
                self.present -= 1;
            }
        }
    }
}

impl<C: Node> Dir<C> {
    /// The entries that `span` touches: index, first page below it, and the part of the span there.
    fn parts(base: u64, span: Span) -> impl Iterator<Item = (usize, u64, Span)> {
        let first = ((span.first - base) >> C::BITS) as usize;
        let last = ((span.last - base) >> C::BITS) as usize;
        (first..=last).map(move |index| {
            let below = base + ((index as u64) << C::BITS);
            let end = below + ((1 << C::BITS) - 1);
            (index, below, Span { first: span.first.max(below), last: span.last.min(end) })
        })
    }
}

impl<C: Node> Node for Dir<C> {
    const BITS: u32 = C::BITS + INDEX_BITS;

    fn new(pool: &Arc<Pool>, bound: Bound) -> Result<Self, OutOfMemory> {
        let charge = Charge::new(pool, 1, bound)?;
        Ok(Self { children: [const { None }; ENTRIES], present: 0, charge })
    }

    fn is_empty(&self) -> bool {
        self.present == 0
    }

    fn get(&self, page: u64) -> Option<&Pte> {
        self.children[entry(page, C::BITS)].as_ref()?.get(page)
    }

    fn get_mut(&mut self, page: u64) -> Option<&mut Pte> {
        self.children[entry(page, C::BITS)].as_mut()?.own().get_mut(page)
    }

    fn replace(&mut self, page: u64, pte: Pte, bound: Bound) -> Result<Pte, OutOfMemory> {
        let slot = &mut self.children[entry(page, C::BITS)];
        let child = match slot {
            Some(child) => child,
            None => {
                let child = Shared::new(C::new(self.charge.pool(), bound)?);
                self.present += 1;
                slot.insert(child)
            }
        };
        child.own().replace(page, pte, bound)
    }

    fn look(&self, base: u64, span: Span, f: &mut Look<'_>) -> ControlFlow<()> {
        for (index, below, part) in Self::parts(base, span) {
            if let Some(child) = &self.children[index] {
                child.look(below, part, f)?;
            }
        }
        Continue(())
    }

    fn edit(
        &mut self,
        base: u64,
        span: Span,
        wanted: &dyn Fn(&Pte) -> bool,
        f: &mut dyn FnMut(u64, &mut Pte),
    ) {
        for (index, below, part) in Self::parts(base, span) {
            let Some(child) = &mut self.children[index] else { continue };
            // A node is not copied for nothing.
            let touched = child.look(below, part, &mut |_, pte| match wanted(pte) {
                true => ControlFlow::Break(()),
                false => Continue(()),
            });
            if touched.is_break() {
                child.own().edit(below, part, wanted, f);
            }
        }
    }

    fn remove(&mut self, base: u64, span: Span, f: &mut dyn FnMut(u64, &Pte)) {
        for (index, below, part) in Self::parts(base, span) {
            let slot = &mut self.children[index];
            let Some(child) = slot else { continue };
            let whole = part.first == below && part.last - below == (1 << C::BITS) - 1;
            if whole {
                // The others who share it keep it; nothing is copied.
                let _ = child.look(below, part, &mut |page, pte| {
                    f(page, pte);
                    Continue(())
                });
            } else {
                let any = child.look(below, part, &mut |_, _| ControlFlow::Break(())).is_break();
                if any {
                    child.own().remove(below, part, f);
                }
            }
            if whole || child.is_empty() {
                *slot = None;
                self.present -= 1;
            }
        }
    }
}

type Root = Dir<Dir<Dir<Leaf>>>;

/// A page table for half of the addresses. `clone()` shares all nodes.
#[derive(Debug, Clone)]
pub(super) struct Table {
    root: Shared<Root>,
}

impl Table {
    /// An empty table. Its root may go over the bound: a space can always be made.
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        match Root::new(pool, Bound::Exceeded) {
            Ok(root) => Self { root: Shared::new(root) },
            Err(OutOfMemory) => unreachable!("an allocation over the bound is not refused"),
        }
    }

    /// The entry of a present page.
    pub(super) fn get(&self, page: u64) -> Option<&Pte> {
        self.root.get(page)
    }

    /// The entry of a present page, for changing it. It must stay present.
    pub(super) fn get_mut(&mut self, page: u64) -> Option<&mut Pte> {
        self.root.own().get_mut(page)
    }

    /// Sets an entry; returns the one before.
    pub(super) fn replace(&mut self, page: u64, pte: Pte, bound: Bound) -> Result<Pte, OutOfMemory> {
        self.root.own().replace(page, pte, bound)
    }

    /// Visits the present entries in order of address.
    pub(super) fn look(&self, span: Span, f: &mut Look<'_>) -> ControlFlow<()> {
        self.root.look(0, span, f)
    }

    /// Changes the present entries that are `wanted`. They must stay present.
    pub(super) fn edit(
        &mut self,
        span: Span,
        wanted: &dyn Fn(&Pte) -> bool,
        f: &mut dyn FnMut(u64, &mut Pte),
    ) {
        self.root.own().edit(0, span, wanted, f);
    }

    /// Takes all entries of `span` away, showing each to `f` before.
    pub(super) fn remove(&mut self, span: Span, f: &mut dyn FnMut(u64, &Pte)) {
        self.root.own().remove(0, span, f);
    }
}
