//! Memory policies of ranges of addresses (mbind(2)).

use std::ops::Range;

/// Policies by first address: end and policy (mode and flags). Ranges do not overlap.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    ranges: imbl::OrdMap<u64, (u64, u32)>,
}

impl Policies {
    /// The policy at an address.
    #[must_use]
    pub fn get(&self, addr: u64) -> Option<u32> {
        let (_, (end, policy)) = self.ranges.range(..=addr).next_back()?;
        (addr < *end).then_some(*policy)
    }
    /// Sets the policy of a range, or (`None`) forgets it.
    pub fn set(&mut self, range: Range<u64>, policy: Option<u32>) {
        if self.ranges.is_empty() && policy.is_none() {
            return;
        }
        let touched: Vec<(u64, (u64, u32))> = self
            .ranges
            .range(..range.end)
            .rev()
            .take_while(|(_, (end, _))| *end > range.start)
            .map(|(start, held)| (*start, *held))
            .collect();
        for (start, (end, held)) in touched {
            self.ranges.remove(&start);
            if start < range.start {
                self.ranges.insert(start, (range.start, held));
            }
            if end > range.end {
                self.ranges.insert(range.end, (end, held));
            }
        }
        if let Some(policy) = policy {
            self.ranges.insert(range.start, (range.end, policy));
        }
    }
}
