//! Runs a static program with a handful of system calls, to test and to time an engine without a kernel:
//! `cargo run --release --example bare [--engine=stepper] [--slice=N] PROGRAM [ARGS]...`
#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a tool for developers"
)]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a tool for developers")]

use std::io::Write;

use emu_core::cpu::{Cpu, CpuModel, reg};
use emu_core::engine::{Engine, Exit, interp::Interp, stepper::Stepper};
use emu_core::mem::{Memory, PageProt, Privilege, SpaceId};

const RWU: PageProt = PageProt::READ.union(PageProt::WRITE).union(PageProt::USER);

fn map(mem: &mut Memory, space: SpaceId, from: u64, to: u64, prot: PageProt) {
    let mut at = from & !0xfff;
    while at < to {
        if mem.page(space, at).is_none() {
            mem.map_zero(space, at, prot).unwrap();
        }
        at += 4096;
    }
}

fn load(mem: &mut Memory, space: SpaceId, file: &[u8], args: &[String], cpu: &mut Cpu) -> u64 {
    let elf = goblin::elf::Elf::parse(file).unwrap();
    let bias = if elf.header.e_type == goblin::elf::header::ET_DYN { 0x40_0000 } else { 0 };
    let mut end = 0;
    let mut phdr = 0;
    for ph in elf.program_headers.iter().filter(|p| p.p_type == goblin::elf::program_header::PT_LOAD) {
        let at = ph.p_vaddr + bias;
        if ph.p_offset == 0 {
            phdr = at + elf.header.e_phoff;
        }
        map(mem, space, at, at + ph.p_memsz, RWU | PageProt::EXEC);
        let bytes = &file[ph.p_offset as usize..(ph.p_offset + ph.p_filesz) as usize];
        mem.write(space, at, bytes, Privilege::User).unwrap();
        end = end.max(at + ph.p_memsz);
    }
    let top = 0x7fff_0000_0000u64;
    map(mem, space, top - (8 << 20), top, RWU);
    let mut strings = top - 0x4000;
    let mut put = |mem: &mut Memory, b: &[u8]| {
        let at = strings;
        mem.write(space, at, b, Privilege::User).unwrap();
        strings += b.len() as u64 + 1;
        at
    };
    let mut words = vec![args.len() as u64];
    for a in args {
        words.push(put(mem, a.as_bytes()));
    }
    words.extend([0, 0]);
    let random = put(mem, b"0123456789abcdef");
    let phnum = u64::from(elf.header.e_phnum);
    words.extend([3, phdr, 4, 56, 5, phnum, 6, 4096, 9, elf.entry + bias, 25, random, 16, 0x078b_fbff, 0, 0]);
    let sp = (top - 0x8000 - words.len() as u64 * 8) & !15;
    for (i, w) in words.iter().enumerate() {
        mem.write_u64(space, sp + i as u64 * 8, *w, Privilege::User).unwrap();
    }
    cpu.regs[reg::RSP] = sp;
    cpu.rip = elf.entry + bias;
    (end + 0xfff) & !0xfff
}

/// What the few system calls need.
struct State {
    brk: u64,
    map: u64,
}

fn call(s: &mut State, cpu: &mut Cpu, mem: &mut Memory, space: SpaceId) -> Option<i32> {
    let r = cpu.regs;
    let (a, b, c) = (r[reg::RDI], r[reg::RSI], r[reg::RDX]);
    let ret = match r[reg::RAX] {
        1 => {
            let mut buf = vec![0; c as usize];
            mem.read(space, b, &mut buf, Privilege::User).unwrap();
            std::io::stdout().write_all(&buf).unwrap();
            c
        }
        20 => {
            let mut n = 0;
            for i in 0..c {
                let p = mem.read_u64(space, b + i * 16, Privilege::User).unwrap();
                let l = mem.read_u64(space, b + i * 16 + 8, Privilege::User).unwrap();
                let mut buf = vec![0; l as usize];
                mem.read(space, p, &mut buf, Privilege::User).unwrap();
                std::io::stdout().write_all(&buf).unwrap();
                n += l;
            }
            n
        }
        9 => {
            let at = if r[reg::R10] & 0x10 != 0 { a } else { s.map };
            if at == s.map {
                s.map += (b + 0xfff) & !0xfff;
            }
            map(mem, space, at, at + b, RWU);
            at
        }
        10 | 11 | 13 | 14 | 28 | 131 | 218 | 273 | 334 => 0,
        12 => {
            if a > s.brk {
                map(mem, space, s.brk, a, RWU);
                s.brk = a;
            }
            s.brk
        }
        158 => {
            cpu.fs_base = b;
            0
        }
        39 | 186 => 1,
        228 => {
            mem.write(space, b, &[0; 16], Privilege::User).unwrap();
            0
        }
        60 | 231 => return Some(a as i32),
        n => {
            eprintln!("call {n}");
            (-38i64) as u64
        }
    };
    cpu.regs[reg::RAX] = ret;
    None
}

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut engine: Box<dyn Engine> = Box::new(Interp::new());
    let mut slice = u64::MAX;
    let mut trace = false;
    let mut model = CpuModel::V1;
    while let Some(a) = args.first().filter(|a| a.starts_with("--")).cloned() {
        args.remove(0);
        match a.as_str() {
            "--engine=stepper" => engine = Box::new(Stepper::new()),
            "--trace" => trace = true,
            "--v3" => model = CpuModel::V3,
            _ => slice = a.trim_start_matches("--slice=").parse().unwrap(),
        }
    }
    let file = std::fs::read(&args[0]).unwrap();
    let mut mem = Memory::new(4 << 30);
    let space = mem.create_space();
    let mut cpu = Cpu::new(model);
    let brk = load(&mut mem, space, &file, &args, &mut cpu);
    let mut s = State { brk, map: 0x7000_0000_0000 };
    let start = std::time::Instant::now();
    let code = loop {
        let stop = cpu.icount.saturating_add(slice);
        match engine.run(&mut cpu, &mut mem, space, stop) {
            Exit::Syscall => {
                if let Some(code) = call(&mut s, &mut cpu, &mut mem, space) {
                    break code;
                }
            }
            Exit::Budget => {}
            Exit::Seam(_) => {
                let now = cpu.icount;
                engine.complete(&mut cpu, &mut mem, space, now).unwrap();
            }
            other => {
                eprintln!("{other:x?} at {:#x} after {}\n{:x?}", cpu.rip, cpu.icount, cpu.regs);
                break 125;
            }
        }
        if trace {
            eprintln!("{} {:#x} {:x} {:x?}", cpu.icount, cpu.rip, cpu.rflags, cpu.regs);
        }
    };
    let t = start.elapsed().as_secs_f64();
    eprintln!("{} instructions, {t:.3} s, {:.0} MIPS", cpu.icount, cpu.icount as f64 / t / 1e6);
    std::process::exit(code);
}
