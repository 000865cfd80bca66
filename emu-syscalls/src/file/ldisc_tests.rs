//! What a terminal makes of input and output, without a machine around it.

use crate::abi::termios::{cc, iflag, lflag, oflag};
use crate::file::tty::{Tty, Wire};

fn tty() -> Tty {
    Tty::new(0, Wire::Master)
}

/// Types `input`; returns the signals.
fn typed(tty: &mut Tty, input: &[u8]) -> Vec<u8> {
    tty.ld.waiting.extend(input);
    tty.receive()
}

fn shown(tty: &mut Tty) -> Vec<u8> {
    tty.out.drain(..).collect()
}

#[test]
fn a_line_can_be_read_only_once_it_ends() {
    let mut tty = tty();
    typed(&mut tty, b"abc");
    assert_eq!(tty.available(), 0);
    typed(&mut tty, b"\rdef");
    assert_eq!(tty.take(100), b"abc\n");
    assert_eq!(tty.available(), 0);
    assert_eq!(shown(&mut tty), b"abc\r\ndef");
}

#[test]
fn a_read_takes_one_line_and_a_short_read_leaves_the_rest() {
    let mut tty = tty();
    typed(&mut tty, b"one\ntwo\n");
    assert_eq!(tty.take(2), b"on");
    assert_eq!(tty.take(100), b"e\n");
    assert_eq!(tty.take(100), b"two\n");
}

#[test]
fn erase_takes_back_a_whole_character_and_its_echo() {
    let mut tty = tty();
    tty.termios.iflag |= iflag::IUTF8;
    typed(&mut tty, "aß\x7f\n".as_bytes());
    assert_eq!(tty.take(100), b"a\n");
    assert_eq!(shown(&mut tty), "aß\x08 \x08\r\n".as_bytes());
}

#[test]
fn erase_of_a_control_character_rubs_out_both_columns() {
    let mut tty = tty();
    typed(&mut tty, b"\x01\x7f");
    assert_eq!(shown(&mut tty), b"^A\x08 \x08\x08 \x08");
}

#[test]
fn erase_of_a_tab_goes_back_to_where_the_text_ended() {
    let mut tty = tty();
    typed(&mut tty, b"abc\t\x7f");
    assert_eq!(shown(&mut tty), b"abc\t\x08\x08\x08\x08\x08");
}

#[test]
fn word_erase_and_kill_edit_the_line() {
    let mut tty = tty();
    tty.termios.lflag &= !lflag::ECHO;
    typed(&mut tty, b"one two  \x17x\n");
    assert_eq!(tty.take(100), b"one x\n");
    typed(&mut tty, b"junk\x15good\n");
    assert_eq!(tty.take(100), b"good\n");
}

#[test]
fn literal_next_takes_an_editing_character_as_data() {
    let mut tty = tty();
    typed(&mut tty, b"\x16\x03\n");
    assert_eq!(tty.take(100), b"\x03\n");
    assert_eq!(shown(&mut tty), b"^\x08^C\r\n");
}

#[test]
fn end_of_file_gives_what_there_is_then_nothing() {
    let mut tty = tty();
    typed(&mut tty, b"ab\x04\x04");
    assert_eq!(tty.take(100), b"ab");
    assert_eq!(tty.available(), 1);
    assert_eq!(tty.readable_bytes(), 0);
    assert_eq!(tty.take(100), b"");
    assert_eq!(tty.available(), 0);
}

#[test]
fn a_read_filled_exactly_up_to_end_of_file_swallows_it() {
    let mut tty = tty();
    typed(&mut tty, b"ab\x04cd\n");
    assert_eq!(tty.take(2), b"ab");
    assert_eq!(tty.take(100), b"cd\n");
}

#[test]
fn interrupt_flushes_and_signals_unless_told_not_to() {
    let mut tty = tty();
    assert_eq!(typed(&mut tty, b"abc\x03"), [2]);
    assert_eq!(shown(&mut tty), b"^C");
    typed(&mut tty, b"d\n");
    assert_eq!(tty.take(100), b"d\n");
    tty.termios.lflag |= lflag::NOFLSH;
    assert_eq!(typed(&mut tty, b"x\x1a\x1cy\n"), [20, 3]);
    assert_eq!(tty.take(100), b"xy\n");
    tty.termios.lflag &= !lflag::ISIG;
    assert_eq!(typed(&mut tty, b"\x03\n"), [0u8; 0]);
    assert_eq!(tty.take(100), b"\x03\n");
}

#[test]
fn raw_input_is_available_at_once_and_untouched() {
    let mut tty = tty();
    let mut raw = tty.termios;
    raw.lflag = 0;
    raw.iflag = 0;
    tty.apply(raw);
    typed(&mut tty, b"a\r\x03\x7f");
    assert_eq!(tty.available(), 4);
    assert_eq!(tty.take(3), b"a\r\x03");
    assert!(shown(&mut tty).is_empty());
}

#[test]
fn a_switch_to_canonical_mode_makes_one_line_of_what_is_there() {
    let mut tty = tty();
    let canonical = tty.termios;
    let mut raw = canonical;
    raw.lflag &= !lflag::ICANON;
    tty.apply(raw);
    typed(&mut tty, b"ab");
    tty.apply(canonical);
    assert_eq!(tty.take(100), b"ab");
}

#[test]
fn stop_holds_output_until_start() {
    let mut tty = tty();
    typed(&mut tty, b"\x13x");
    assert!(tty.ld.stopped);
    assert!(shown(&mut tty).is_empty());
    typed(&mut tty, b"\x11");
    assert_eq!(shown(&mut tty), b"x");
}

#[test]
fn an_endless_line_keeps_4095_characters_and_its_end() {
    let mut tty = tty();
    tty.termios.lflag &= !lflag::ECHO;
    typed(&mut tty, &[b'a'; 5000]);
    typed(&mut tty, b"\n");
    let line = tty.take(10_000);
    assert_eq!(line.len(), 4096);
    assert_eq!(line.last(), Some(&b'\n'));
}

#[test]
fn output_flags_change_newlines_and_tabs() {
    let mut tty = tty();
    let show = |tty: &mut Tty, text: &[u8]| {
        let mut wire = Vec::new();
        for byte in text {
            tty.output_char(*byte, &mut wire);
        }
        wire
    };
    assert_eq!(show(&mut tty, b"a\n"), b"a\r\n");
    tty.termios.oflag = oflag::OPOST | oflag::XTABS;
    assert_eq!(show(&mut tty, b"\rab\tc"), b"\rab      c");
    tty.termios.oflag = oflag::OPOST | oflag::OCRNL | oflag::ONOCR;
    assert_eq!(show(&mut tty, b"x\r"), b"x\n");
    tty.termios.oflag = oflag::OPOST | oflag::OLCUC;
    assert_eq!(show(&mut tty, b"aZ"), b"AZ");
    tty.termios.oflag = 0;
    assert_eq!(show(&mut tty, b"\n"), b"\n");
}

#[test]
fn settings_survive_the_trip_through_their_guest_layouts() {
    let mut settings = tty().termios;
    settings.cc[cc::VMIN] = 7;
    assert_eq!(tty().termios.from_bytes(&settings.to_bytes()), settings);
    assert_eq!(settings.to_termio().len(), 18);
    let mut fast = settings;
    fast.cflag = (fast.cflag & !0o10017) | 0o10002;
    assert_eq!(settings.from_bytes(&fast.to_bytes()[..36]).ospeed, 115_200);
}
