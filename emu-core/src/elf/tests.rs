//! Tests of the checks, on a program made here.

use goblin::elf::section_header::SHT_SYMTAB;
use proptest::prelude::*;

use super::symbols::Symbols;
use super::*;

const LOAD: u64 = 0x40_0000;

fn program_header(kind: u32, flags: u32, words: [u64; 6]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), flags.to_le_bytes()].concat();
    words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes
}

/// Two segments, an interpreter and a stack header.
fn program() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    for word in [LOAD + 0x120, 64, 0] {
        file.extend(u64::to_le_bytes(word));
    }
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 4, 0, 64, 0, 0, 0, 0, 0]);
    file.extend(program_header(PT_LOAD, PF_R | PF_X, [0, LOAD, LOAD, 0x200, 0x200, 0x1000]));
    file.extend(program_header(PT_LOAD, PF_R | PF_W, [0x200, LOAD + 0x1200, 0, 0x10, 0x4000, 0x1000]));
    file.extend(program_header(PT_INTERP, PF_R, [0x200, 0, 0, 7, 7, 1]));
    file.extend(program_header(PT_GNU_STACK, PF_R | PF_W, [0; 6]));
    file.resize(0x200, 0x90);
    file.extend(b"/ld.so\0");
    file.resize(0x210, 0);
    file
}

fn parse(file: &[u8]) -> Result<Image, ElfError> {
    Image::parse(&mut { file }, file.len() as u64)
}

#[test]
fn a_sane_program_is_read() {
    let image = parse(&program()).unwrap();
    assert_eq!(image.interpreter.as_deref(), Some(&b"/ld.so"[..]));
    assert_eq!((image.phdr, image.phnum), (LOAD + 64, 4));
    assert_eq!(image.span(), LOAD..LOAD + 0x6000);
    assert_eq!(image.stack, StackRights::NoExecute);
}

#[test]
fn other_machines_are_named() {
    let mut file = program();
    file[18] = 183;
    assert_eq!(parse(&file).unwrap_err().to_string(), "a program for aarch64, not for x86-64");
    file[4] = 1;
    file[18] = 3;
    assert_eq!(parse(&file), Err(ElfError::ThirtyTwoBit("i386".to_owned())));
    assert_eq!(parse(b"#!/bin/sh\n"), Err(ElfError::NotElf));
}

#[test]
fn damage_is_told() {
    let file = program();
    assert_eq!(parse(&file[..0x180]), Err(ElfError::Truncated("segment", 0x200)));
    let with = |at: usize, value: u64| {
        let mut file = file.clone();
        file[at..at + 8].copy_from_slice(&value.to_le_bytes());
        parse(&file)
    };
    assert_eq!(with(24, 0x10), Err(ElfError::Entry(0x10)));
    assert_eq!(with(64 + 40, 0x5000), Err(ElfError::Overlap(LOAD, LOAD + 0x1200)));
    assert_eq!(with(64 + 56 + 40, u64::MAX), Err(ElfError::Huge(LOAD + 0x1200, u64::MAX)));
    assert_eq!(with(64 + 56 + 16, LOAD + 0x1300), Err(ElfError::Alignment(LOAD + 0x1300, 0x200)));
}

proptest! {
    #[test]
    fn mutated_files_never_panic(changes in prop::collection::vec((0usize..0x210, any::<u8>()), 1..12), cut in 0usize..0x211) {
        let mut file = program();
        for (at, byte) in changes {
            file[at] = byte;
        }
        file.truncate(cut.max(20));
        if let Ok(image) = parse(&file) {
            prop_assert!(image.span().end <= USER_END);
        }
        let _ = Symbols::read(&mut &file[..], file.len() as u64).find(LOAD);
    }

    #[test]
    fn symbols_of_a_mutated_real_file_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut file = with_symbols();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let _ = Symbols::read(&mut &file[..], file.len() as u64).find(LOAD + 0x121);
    }
}

/// The program with a symbol table of one function, `main`.
fn with_symbols() -> Vec<u8> {
    let mut file = program();
    let strings = file.len() as u64;
    file.extend(b"\0main\0\0\0");
    let table = file.len() as u64;
    file.extend([0; 24]);
    file.extend([1, 0, 0, 0, 2, 0, 1, 0]);
    file.extend((LOAD + 0x120).to_le_bytes());
    file.extend(16u64.to_le_bytes());
    let sections = file.len() as u64;
    let mut section = |kind: u32, offset: u64, size: u64, link: u32| {
        file.extend(0u32.to_le_bytes());
        file.extend(kind.to_le_bytes());
        for word in [0, 0, offset, size] {
            file.extend(u64::to_le_bytes(word));
        }
        file.extend(link.to_le_bytes());
        file.extend([0; 20]);
    };
    section(0, 0, 0, 0);
    section(SHT_SYMTAB, table, 48, 2);
    section(3, strings, 8, 0);
    file[40..48].copy_from_slice(&sections.to_le_bytes());
    file[60] = 3;
    file
}

#[test]
fn functions_are_found_by_address() {
    let file = with_symbols();
    let symbols = Symbols::read(&mut &file[..], file.len() as u64);
    assert_eq!(symbols.find(LOAD + 0x125), Some(("main".to_owned(), 5)));
    assert_eq!(symbols.find(LOAD + 0x130), None);
}
