//! The engines against each other: the fast interpreter must match the stepper bit for bit, counts included.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests")]

use emu_core::cpu::{Cpu, CpuModel, Exception, RFlags, Vector, reg};
use emu_core::engine::{Engine, Exit, interp::Interp, stepper::Stepper};
use emu_core::mem::{Memory, PageProt, Privilege, SpaceId};
use proptest::prelude::*;

const RWX: PageProt = PageProt::READ.union(PageProt::WRITE).union(PageProt::EXEC).union(PageProt::USER);
const RX: PageProt = PageProt::READ.union(PageProt::EXEC).union(PageProt::USER);
const CODE: u64 = 0x40_0000;
const CODE_PAGES: u64 = 3;
const DATA: u64 = 0x60_0000;
const FOREVER: u64 = u64::MAX;

fn machine(code: &[u8]) -> (Memory, SpaceId, Cpu) {
    let mut mem = Memory::new(64 << 20);
    let space = mem.create_space();
    for page in 0..CODE_PAGES {
        mem.map_zero(space, CODE + page * 4096, RWX).unwrap();
    }
    for page in 0..2 {
        mem.map_zero(space, DATA + page * 4096, RWX).unwrap();
    }
    mem.write(space, CODE, code, Privilege::User).unwrap();
    let mut cpu = Cpu::new(CpuModel::V3);
    cpu.rip = CODE;
    cpu.regs[reg::RSP] = DATA + 0x1800;
    cpu.regs[reg::RSI] = DATA + 0x100;
    cpu.regs[reg::RDI] = DATA + 0x200;
    (mem, space, cpu)
}

fn engines() -> [Box<dyn Engine>; 4] {
    // The second one's cache holds a few blocks; the third joins blocks as soon as it can.
    [
        Box::new(Stepper::new()),
        Box::new(Interp::with_cache(4000)),
        Box::new(Interp::new().with_stretch(40)),
        Box::new(Interp::new()),
    ]
}

fn digest(mem: &Memory) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    mem.digest(&mut hasher);
    hasher.digest()
}

/// A budget that ends at a jump not yet linked, then another task: the jump must not be linked to where that one is.
#[test]
fn a_switch_of_tasks_at_an_open_jump_does_not_mislink_it() {
    let mut code = vec![0xf4; 0x200];
    code[..5].copy_from_slice(&[0x48, 0xff, 0xc0, 0xeb, 0x7b]); // inc rax; jmp CODE+0x80
    code[0x80..0x85].copy_from_slice(&[0x48, 0xff, 0xc3, 0x0f, 0x05]); // inc rbx; syscall
    code[0x100..0x105].copy_from_slice(&[0x48, 0xff, 0xc1, 0x0f, 0x05]); // inc rcx; syscall
    for mut engine in engines() {
        let (mut mem, space, mut a) = machine(&code);
        let mut b = a.clone();
        b.rip = CODE + 0x100;
        assert_eq!(engine.run(&mut a, &mut mem, space, 2), Exit::Budget);
        assert_eq!(engine.run(&mut b, &mut mem, space, FOREVER), Exit::Syscall);
        a.rip = CODE;
        assert_eq!(engine.run(&mut a, &mut mem, space, FOREVER), Exit::Syscall);
        assert_eq!(a.regs[reg::RBX], 1, "{}", engine.name());
        assert_eq!(a.rip, CODE + 0x85);
    }
}

/// The same when the open jump led to a page that is not there, and the signal handler runs elsewhere.
#[test]
fn a_fault_at_an_open_jump_does_not_mislink_it() {
    let mut code = vec![0xf4; 0x200];
    code[..8].copy_from_slice(&[0x48, 0xff, 0xc0, 0xe9, 0xf8, 0x7f, 0, 0]); // inc rax; jmp CODE+0x8000
    code[0x100..0x105].copy_from_slice(&[0x48, 0xff, 0xc1, 0x0f, 0x05]);
    for mut engine in engines() {
        let (mut mem, space, mut cpu) = machine(&code);
        for _ in 0..2 {
            cpu.rip = CODE;
            let Exit::Exception(e) = engine.run(&mut cpu, &mut mem, space, FOREVER) else {
                panic!("no fault")
            };
            assert_eq!((e.vector, e.address, cpu.rip), (Vector::PageFault, CODE + 0x8000, CODE + 0x8000));
            cpu.rip = CODE + 0x100;
            assert_eq!(engine.run(&mut cpu, &mut mem, space, FOREVER), Exit::Syscall);
        }
    }
}

/// What a fetch at `target` gives, reached by `jmp rax`.
fn fault_at(engine: &mut dyn Engine, target: u64) -> (Exit, u64, u64) {
    let (mut mem, space, mut cpu) = machine(&[0x48, 0xff, 0xc3, 0xff, 0xe0]); // inc rbx; jmp rax
    engine.flush();
    cpu.regs[reg::RAX] = target;
    let exit = engine.run(&mut cpu, &mut mem, space, FOREVER);
    (exit, cpu.rip, cpu.icount)
}

#[test]
fn a_fetch_that_faults_names_the_exact_address() {
    for mut engine in engines() {
        for target in [u64::MAX, u64::MAX - 5, 0x1234, 0x7fff_ffff_efff, 0xffff_8000_0000_0123] {
            let (exit, rip, count) = fault_at(&mut *engine, target);
            let Exit::Exception(e) = exit else { panic!("{exit:?}") };
            assert_eq!((e.vector, e.address, rip, count), (Vector::PageFault, target, target, 2));
        }
    }
}

/// An instruction whose tail lies in a page that is not there: rip names its start, cr2 the missing byte.
#[test]
fn a_fetch_that_faults_in_its_second_page_names_both() {
    for mut engine in engines() {
        let (mut mem, space, mut cpu) = machine(&[]);
        let end = CODE + CODE_PAGES * 4096;
        mem.write(space, end - 5, &[0x48, 0xff, 0xc0, 0x48, 0xb8], Privilege::User).unwrap();
        cpu.rip = end - 5;
        let Exit::Exception(e) = engine.run(&mut cpu, &mut mem, space, FOREVER) else { panic!("no fault") };
        assert_eq!((e.vector, e.address, cpu.rip), (Vector::PageFault, end, end - 2));
        assert_eq!((cpu.regs[reg::RAX], cpu.icount), (1, 1));
    }
}

#[test]
fn a_store_changes_the_next_instruction_of_its_block() {
    // mov byte [rip+3], 0xc3 (so that inc rax becomes inc rbx); inc rax; syscall
    let code = [0xc6, 0x05, 2, 0, 0, 0, 0xc3, 0x48, 0xff, 0xc0, 0x0f, 0x05];
    for mut engine in engines() {
        let (mut mem, space, mut cpu) = machine(&code);
        for n in 1..4 {
            cpu.rip = CODE;
            assert_eq!(engine.run(&mut cpu, &mut mem, space, FOREVER), Exit::Syscall);
            assert_eq!((cpu.regs[reg::RAX], cpu.regs[reg::RBX]), (0, n), "{}", engine.name());
            // The kernel puts the old byte back.
            mem.write(space, CODE + 9, &[0xc3], Privilege::User).unwrap();
        }
        mem.write(space, CODE + 6, &[0xc1], Privilege::User).unwrap();
        cpu.rip = CODE;
        assert_eq!(engine.run(&mut cpu, &mut mem, space, FOREVER), Exit::Syscall);
        assert_eq!(cpu.regs[reg::RBX], 3);
    }
}

#[test]
fn code_of_a_shared_object_changes_for_every_space() {
    for mut engine in engines() {
        let mut mem = Memory::new(64 << 20);
        let (a, b) = (mem.create_space(), mem.create_space());
        let object = mem.create_object();
        mem.map_shared(a, CODE, object, 0, RX).unwrap();
        mem.map_shared(b, DATA, object, 0, RWX).unwrap();
        mem.write_forced(a, CODE, &[0x48, 0xff, 0xc0, 0x0f, 0x05]).unwrap();
        let mut cpu = Cpu::new(CpuModel::V3);
        let mut run = |mem: &mut Memory, cpu: &mut Cpu, space, rip| {
            cpu.rip = rip;
            assert_eq!(engine.run(cpu, mem, space, FOREVER), Exit::Syscall);
        };
        run(&mut mem, &mut cpu, a, CODE);
        run(&mut mem, &mut cpu, b, DATA);
        assert_eq!(cpu.regs[reg::RAX], 2);
        // b writes inc rbx over it through its own mapping: mov byte [rdi+2], 0xc3; syscall
        mem.map_zero(b, CODE, RWX).unwrap();
        mem.write(b, CODE, &[0xc6, 0x47, 2, 0xc3, 0x0f, 0x05], Privilege::User).unwrap();
        cpu.regs[reg::RDI] = DATA;
        run(&mut mem, &mut cpu, b, CODE);
        run(&mut mem, &mut cpu, a, CODE);
        run(&mut mem, &mut cpu, b, DATA);
        assert_eq!((cpu.regs[reg::RAX], cpu.regs[reg::RBX]), (2, 2));
        // Now the kernel does.
        mem.write(b, DATA + 2, &[0xc0], Privilege::User).unwrap();
        run(&mut mem, &mut cpu, a, CODE);
        assert_eq!((cpu.regs[reg::RAX], cpu.regs[reg::RBX]), (3, 2));
    }
}

#[test]
fn a_fault_in_a_repeated_store_stands_at_its_iteration() {
    for (code, from) in [([0xf3, 0xaa], 0), ([0xf3, 0xa4], 1)] {
        for mut engine in engines() {
            let (mut mem, space, mut cpu) = machine(&code);
            cpu.regs[reg::RDI] = DATA + 0x2000 - 7;
            cpu.regs[reg::RCX] = 20;
            let Exit::Exception(e) = engine.run(&mut cpu, &mut mem, space, FOREVER) else {
                panic!("no fault")
            };
            assert_eq!((e.vector, e.address, cpu.rip), (Vector::PageFault, DATA + 0x2000, CODE));
            assert_eq!((cpu.regs[reg::RCX], cpu.regs[reg::RDI]), (13, DATA + 0x2000));
            assert_eq!(cpu.regs[reg::RSI], DATA + 0x100 + 7 * from);
            assert_eq!(cpu.icount, 7);
        }
    }
}

#[test]
fn single_steps_trap_behind_each_instruction() {
    // inc rax; jmp +0; inc rax; syscall
    let code = [0x48, 0xff, 0xc0, 0xeb, 0, 0x48, 0xff, 0xc0, 0x0f, 0x05];
    for mut engine in engines() {
        let (mut mem, space, mut cpu) = machine(&code);
        // Cached first.
        assert_eq!(engine.run(&mut cpu, &mut mem, space, FOREVER), Exit::Syscall);
        cpu.rip = CODE;
        cpu.rflags |= RFlags::TF.bits();
        for rip in [3, 5, 8] {
            let Exit::Exception(e) = engine.run(&mut cpu, &mut mem, space, FOREVER) else {
                panic!("no trap")
            };
            assert_eq!((e.vector, cpu.rip), (Vector::Debug, CODE + rip));
        }
    }
}

/// A source of choices that a seed fixes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
    fn byte(&mut self) -> u8 {
        self.roll(256) as u8
    }
    fn near(&mut self) -> [u8; 4] {
        (self.roll(200) as i32 - 100).to_le_bytes()
    }
    /// A mod-rm byte of two registers, neither of which is rsp.
    fn pair(&mut self) -> u8 {
        const R: [u8; 7] = [0, 1, 2, 3, 5, 6, 7];
        0xc0 | R[self.roll(7) as usize] << 3 | R[self.roll(7) as usize]
    }

    /// One instruction, or a few that belong together.
    fn snippet(&mut self, out: &mut Vec<u8>) {
        let (pair, near) = (self.pair(), self.near());
        let any = self.byte();
        let rip = (pair & 0x38) | 5;
        match self.roll(34) {
            0 => out.extend([0x48, 0xc7, 0xc0 | pair & 7, any, 0, 0, 0]),
            1..=4 => out.extend([0x48, (any & 0x38) | 1, pair]),
            5 => out.extend([(any & 0x38), pair]),
            6 => out.extend([0x48, 0xff, 0xc0 | pair & 0xf]),
            7 => out.extend([0x48, 0xc1, pair, any]),
            8..=9 => out.extend([0x70 | any & 15, near[0]]),
            10 => out.extend([0xeb, near[0]]),
            11 => {
                out.push(0xe8);
                out.extend(near);
            }
            12 => out.push(0xc3),
            13 => out.push(0x50 | pair & 7),
            14 => out.push(0x58 | pair & 7),
            15..=16 => {
                // Into the code: byte or word.
                out.extend([0x48, 0x88 | any & 1, rip]);
                out.extend(near);
            }
            17 => {
                out.extend([0x48, 0x8b, rip]);
                out.extend(near);
            }
            18 => out.extend([0x48, 0x89, 0x47 | pair & 0x38, any]),
            19 => out.extend([0x48, 0x8b, 0x46 | pair & 0x38, any]),
            20 => {
                // rep stos, movs, cmps, scas over some bytes.
                let op = [0xaa, 0xa4, 0xab, 0xa5, 0xa6, 0xae][any as usize % 6];
                out.extend([0xb9, self.roll(40) as u8, 0, 0, 0, 0xf3 - (any >> 7), op]);
            }
            21 => {
                // The same into the code.
                out.extend([0x48, 0x8d, 0x3d]);
                out.extend(near);
                out.extend([0xb9, self.roll(20) as u8, 0, 0, 0, 0xf3, 0xa4]);
            }
            22 => out.extend([0x68, any & 0xd5, any & 1, 0, 0, 0x9d]),
            23 => out.extend([0x0f, 0x90 | any & 15, 0xc0 | pair & 7]),
            24 => out.extend([0x48, 0x0f, 0x40 | any & 15, pair]),
            25 => {
                out.extend([0xf0, 0x48, 0x0f, 0xb1, rip]);
                out.extend(near);
            }
            26 => out.extend([0x48, 0xf7, 0xe0 | pair & 0x17]),
            27 => {
                out.extend([0x48, 0x8d, rip]);
                out.extend(near);
                out.extend([0xff, 0xe0 | (pair >> 3) & 7]);
            }
            28 => {
                out.extend([0x48, 0x11, rip]);
                out.extend(near);
            }
            29 => out.extend([[0x0f, 0x05], [0x0f, 0x31], [0xcc, 0x90], [0xfd, 0xfc]][any as usize & 3]),
            30 => out.extend([0x48, 0x39 | any & 2, pair, 0x70 | any >> 4, near[1].wrapping_add(near[0])]),
            31 => out.extend([0x48, 0x85, pair, 0x74 | any & 1, near[0]]),
            32 => {
                out.extend([0x0f, 0x10 | any & 1, rip]);
                out.extend(near);
            }
            _ => out.extend([0x66, 0x0f, 0xfe, pair, 0x9c]),
        }
    }
}

/// Random programs that write into themselves, run in random slices by two tasks, while the kernel writes, protects and
/// forks between the slices.
fn compare(seed: u64) {
    let mut dice = Dice(seed | 1);
    let mut code = Vec::new();
    let mut starts = Vec::new();
    while code.len() < (CODE_PAGES as usize - 1) * 4096 + 200 {
        starts.push(CODE + code.len() as u64);
        dice.snippet(&mut code);
    }
    // Around the ends of pages more often than not.
    let near = |s: &u64| (*s & 0xfff) > 0xf80 || (*s & 0xfff) < 0x40;
    let edge: Vec<u64> = starts.iter().copied().filter(near).collect();
    let mut sides: Vec<_> = engines().into_iter().map(|e| (e, machine(&code))).collect();
    let mut tasks: Vec<[Cpu; 2]> = sides.iter().map(|(_, (_, _, cpu))| [cpu.clone(), cpu.clone()]).collect();
    let mut spaces: Vec<SpaceId> = vec![sides[0].1.1];
    for round in 0..400 {
        let who = dice.roll(2) as usize;
        let space = spaces[dice.roll(spaces.len() as u64) as usize];
        let budget = if dice.roll(3) == 0 { 1000 } else { 1 + dice.roll(20) };
        let (what, at) = (dice.roll(12), dice.roll(CODE_PAGES * 4096 - 8));
        let restart = if dice.roll(2) == 0 { &starts } else { &edge };
        let restart = restart[dice.roll(restart.len() as u64) as usize];
        let bytes = dice.roll(u64::MAX).to_le_bytes();
        let (mut forked, mut fresh) = (None, None);
        let mut exits = Vec::new();
        for ((engine, (mem, _, _)), cpus) in sides.iter_mut().zip(&mut tasks) {
            match what {
                0 => mem.write(space, CODE + at, &bytes[..3], Privilege::User).unwrap_or_default(),
                1 => mem.write_forced(space, CODE + at, &bytes[..1]).unwrap_or_default(),
                2 => mem.protect(space, CODE + (at & !0xfff)..CODE + (at & !0xfff) + 4096, RX),
                3 => mem.protect(space, CODE..CODE + CODE_PAGES * 4096, RWX),
                4 if spaces.len() < 4 => forked = Some(mem.fork_space(space)),
                5 if spaces.len() > 1 && space != spaces[1] => {
                    // Its slot comes back with the pages of another.
                    mem.destroy_space(spaces[1]);
                    fresh = Some(mem.fork_space(spaces[0]));
                }
                6 if round % 16 == 0 => engine.flush(),
                7 if round % 32 == 0 => {
                    mem.map_zero(space, CODE + (at & !0xfff), RWX).unwrap();
                }
                8 if round % 32 == 0 => mem.move_pages(space, CODE..CODE + 4096, CODE + 4096),
                9 if round % 32 == 0 => mem.map_zero(space, CODE, RWX).unwrap(),
                10 if round % 8 == 0 => *mem = mem.clone(),
                11 => mem.clear_dirty(space, CODE..CODE + CODE_PAGES * 4096),
                _ => {}
            }
            let cpu = &mut cpus[who];
            let stop = cpu.icount + budget;
            let exit = engine.run(cpu, mem, space, stop);
            if exit != Exit::Budget {
                if let Exit::Seam(_) = exit {
                    let done = engine.complete(cpu, mem, space, 77);
                    assert!(
                        matches!(done, Ok(()) | Err(Exception { vector: Vector::Debug, .. })),
                        "{done:?}"
                    );
                }
                cpu.rflags &= !RFlags::TF.bits();
                if !matches!(exit, Exit::Exception(e) if e.vector == Vector::Debug) {
                    cpu.rip = restart;
                }
                cpu.regs[reg::RSP] = DATA + 0x1800;
                cpu.regs[reg::RDI] = DATA + 0x1fe0;
                cpu.regs[reg::RSI] = DATA + 0x200;
            }
            exits.push(exit);
        }
        let memory = if round % 16 == 0 { digest(&sides[0].1.0) } else { 0 };
        for n in 1..sides.len() {
            assert_eq!(exits[0], exits[n], "round {round}");
            assert_eq!(tasks[0][who], tasks[n][who], "round {round}, {:?}", exits[0]);
            assert!(round % 16 != 0 || memory == digest(&sides[n].1.0), "memory, round {round}");
        }
        spaces.extend(forked);
        if let Some(fresh) = fresh {
            spaces[1] = fresh;
        }
    }
}

/// A loop over arithmetic, loads, stores, branches and calls, as compilers make them, on rax, rbx, rdx and rbp.
fn looping(dice: &mut Dice) -> Vec<u8> {
    const R: [u8; 4] = [0, 2, 3, 5];
    let mut functions = Vec::new();
    let mut code = vec![0xe9, 0, 0, 0, 0];
    for _ in 0..3 {
        functions.push(code.len());
        code.extend([0x55, 0x53, 0x48, 0x89, 0xe5]); // push rbp; push rbx; mov rbp, rsp
        for _ in 0..dice.roll(6) {
            piece(dice, &mut code, &R[..3]);
        }
        code.extend([0x5b, 0x5d, 0xc3]);
    }
    let start = code.len();
    code[1..5].copy_from_slice(&(start as u32 - 5).to_le_bytes());
    for _ in 0..10 + dice.roll(30) {
        if dice.roll(6) == 0 {
            code.push(0xe8);
            let to = functions[dice.roll(3) as usize] as i32 - (code.len() as i32 + 4);
            code.extend(to.to_le_bytes());
        } else {
            piece(dice, &mut code, &R);
        }
    }
    code.extend([0x48, 0xff, 0xc9, 0x0f, 0x85]); // dec rcx; jnz start
    let back = start as i32 - (code.len() as i32 + 4);
    code.extend(back.to_le_bytes());
    code.extend([0x0f, 0x05]);
    code
}

fn piece(dice: &mut Dice, out: &mut Vec<u8>, among: &[u8]) {
    let n = among.len() as u64;
    let (r, s) = (among[dice.roll(n) as usize], among[dice.roll(n) as usize]);
    let (any, op, wide) = (dice.byte(), (dice.roll(8) as u8) << 3, dice.roll(2) == 0);
    let rex = |out: &mut Vec<u8>| out.extend(wide.then_some(0x48));
    let at = 0x46 | r << 3; // [rsi + disp8]
    let make = |kind: u64, out: &mut Vec<u8>| match kind {
        0 => out.extend([0x48, 0x63, at, any & 0x78]),
        1 => out.extend([0x0f, 0xb6, at, any]),
        2 => out.extend([0x48, 0x8b, at, any & 0x7f]),
        3 => out.extend([0x8b, at, any & 0x7f]),
        4 => out.extend([0x48, 0x89, 0xc0 | s << 3 | r]),
        _ => out.extend([0x89, 0xc0 | s << 3 | r]),
    };
    let kind = dice.roll(6);
    match dice.roll(12) {
        0 => {
            rex(out);
            out.extend([op | 1, 0xc0 | s << 3 | r]);
        }
        1 => {
            rex(out);
            out.extend([0x83, 0xc0 | op | r, any]);
        }
        2 => {
            rex(out);
            out.extend([0xc1, 0xc0 | op | r, any]);
        }
        3 => {
            make(kind, out);
            rex(out);
            out.extend([0x83, 0xc0 | op | r, any]);
        }
        4 => {
            make(kind, out);
            rex(out);
            out.extend([op | 1, 0xc0 | s << 3 | r]);
        }
        5 => {
            make(kind, out);
            rex(out);
            out.extend([0xc1, 0xc0 | op | r, any]);
        }
        6 => {
            make(kind, out);
            rex(out);
            match dice.roll(3) {
                0 => out.extend([0x85, 0xc0 | r << 3 | r]),
                1 => out.extend([0x83, 0xf8 | r, any]),
                _ => out.extend([0x39, 0xc0 | s << 3 | r]),
            }
            out.extend([0x70 | any & 15, 4, 0x48, 0x8d, 0x40 | r << 3 | s, any]); // jcc over lea
        }
        7 => {
            let k = 1 + dice.roll(7);
            (0..k).for_each(|_| out.push(0x50 | r));
            make(kind, out);
            (0..k).for_each(|i| out.push(0x58 | if i == 0 { r } else { s }));
        }
        8 => out.extend([0x48, 0x89, at, any]),
        9 => out.extend([0x48, 0xff, 0xc0 | any & 8 | r]),
        10 => out.extend([0x48, 0xf7, 0xd0 | any & 8 | r, 0x0f, 0x90 | any >> 4, 0xc0 | s]),
        _ => out.extend([0x48, 0x11, 0xc0 | s << 3 | r, 0x48, 0x0f, 0x40 | any & 15, 0xc0 | r << 3 | s]),
    }
}

/// Loops long enough that blocks are joined, in slices of all lengths, while the pages they use come and go.
fn compare_loops(seed: u64) {
    let mut dice = Dice(seed | 1);
    let code = looping(&mut dice);
    let mut sides: Vec<_> = engines().into_iter().map(|e| (e, machine(&code))).collect();
    for (_, (_, _, cpu)) in &mut sides {
        cpu.regs[reg::RCX] = 100_000;
        cpu.regs[reg::RSP] = DATA + 0x1000 + (seed & 0x3f8);
        cpu.regs[reg::RSI] = DATA + 0xf80 + (seed >> 10 & 63);
    }
    for round in 0..60 {
        let budget = if dice.roll(2) == 0 { 1 + dice.roll(60) } else { 1 + dice.roll(3000) };
        let (what, page) = (dice.roll(8), DATA + dice.roll(2) * 4096);
        let mut exits = Vec::new();
        for (engine, (mem, space, cpu)) in &mut sides {
            match what {
                0 => mem.protect(*space, page..page + 4096, RX),
                1 => mem.protect(*space, page..page + 4096, PageProt::empty()),
                2 => mem.write(*space, CODE, &code[..4], Privilege::User).unwrap(),
                _ => mem.protect(*space, DATA..DATA + 0x2000, RWX),
            }
            exits.push(engine.run(cpu, mem, *space, cpu.icount + budget));
        }
        let (oracle, others) = sides.split_at(1);
        for (n, (_, (mem, _, cpu))) in others.iter().enumerate() {
            assert_eq!(exits[0], exits[n + 1], "round {round}, engine {n}");
            assert_eq!(oracle[0].1.2, *cpu, "round {round}, engine {n}, {:?}", exits[0]);
            assert!(round % 10 != 0 || digest(&oracle[0].1.0) == digest(mem), "memory, round {round}");
        }
    }
}

/// Numbers at the borders of what is quick: as a double, and as two singles.
const NUMBERS: [u64; 16] = [
    0,
    1 << 63,
    0x3ff0_0000_3f80_0000,
    0x4008_0000_4040_0000,
    0x3fd5_5555_3eaa_aaab,
    0xc024_0000_c120_0001,
    0x7fef_ffff_7f7f_ffff,
    0x7ff0_0000_7f80_0000,
    0xfff8_0000_ffc0_0000,
    0x7ff4_0000_7fa0_0000,
    0x0010_0000_0080_0000,
    0x0030_0000_0180_0000,
    0x000f_ffff_007f_ffff,
    0x0000_0001_0000_0001,
    0x3ca0_0000_3380_0000,
    0x7fe0_0000_7f00_0000,
];

/// Copies of vector registers and scalar operations on them, which may become one: stopped after each instruction and
/// at faults, in all states of MXCSR, they do what the stepper's portable bodies do one by one.
#[test]
fn a_copy_and_the_operation_on_it_are_two_instructions() {
    let mut dice = Dice(99);
    let (mut copies, mut faults) = (0, 0);
    for round in 0..120 {
        let mut code = Vec::new();
        for _ in 0..20 {
            let (to, from) = (dice.roll(4) as u8, dice.roll(4) as u8);
            let prefix = [0xf2, 0xf3][dice.roll(2) as usize];
            let op = [0x58, 0x59, 0x5c, 0x5e, 0x58, 0x59, 0x51, 0x5d, 0x5f, 0x5a][dice.roll(10) as usize];
            code.extend(
                [[0x66, 0x0f, 0x28, 0xc0 | to << 3 | from], [0x90, 0x0f, 0x28, 0xc0 | to << 3 | from]]
                    [dice.roll(2) as usize],
            );
            // The same register, any, at rsi, at rax.
            let kinds = [0xc0 | to << 3 | to, 0xc0 | to << 3 | dice.roll(4) as u8, to << 3 | 6, to << 3];
            let at = if dice.roll(12) == 0 { 3 } else { dice.roll(3) as usize };
            code.extend([prefix, 0x0f, op, kinds[at]]);
        }
        code.extend([0x0f, 0x05]);
        let control = [0x1fa0, 0x1f80, 0x3fa0, 0x9fe0, 0x0fa0, 0x1da0][dice.roll(6) as usize];
        let picked: [u64; 9] = std::array::from_fn(|_| {
            let few = if round % 3 == 0 { 16 } else { 7 };
            NUMBERS[dice.roll(few) as usize] ^ (dice.roll(2) * (dice.roll(1 << 20) << 2))
        });
        let away = [DATA + 0x1ffc, DATA + 0xffc, 0x1000, 1 << 62][dice.roll(4) as usize];
        let stops: [u64; 10] = std::array::from_fn(|_| 1 + dice.roll(61));
        for stop in stops.into_iter().chain([FOREVER]) {
            let mut ends = Vec::new();
            for mut engine in engines() {
                let (mut mem, space, mut cpu) = machine(&code);
                mem.write(space, DATA + 0x100, &picked[8].to_le_bytes(), Privilege::User).unwrap();
                for (y, v) in cpu.ymm.iter_mut().zip(picked.chunks_exact(2)) {
                    *y = [v[0], v[1], 5, 6];
                }
                cpu.mxcsr = control;
                cpu.regs[reg::RAX] = away;
                let exit = engine.run(&mut cpu, &mut mem, space, stop);
                ends.push((exit, cpu));
            }
            for end in &ends[1..] {
                assert_eq!(*end, ends[0], "round {round}, {stop} instructions of {code:x?}");
            }
            copies += usize::from(stop == FOREVER);
            faults += usize::from(matches!(ends[0].0, Exit::Exception(_)));
        }
    }
    assert!(copies == 120 && faults > 100, "{faults} faults");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_programs_run_alike(seed in any::<u64>()) {
        compare(seed);
    }
    #[test]
    fn random_loops_run_alike(seed in any::<u64>()) {
        compare_loops(seed);
    }
}
