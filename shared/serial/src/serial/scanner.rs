//! JSON by RFC 8259, byte by byte: checks it, and tells where values and keys begin and end.
//!
//! Holds some 64 bytes whatever the text. Nothing is copied or decoded here.

use super::input::too_much_space;
use super::limits::{DEPTH_MAX, SPACE_MAX_BYTES};
use super::text_position::{Fault, TextPosition};

/// What a byte has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// All bytes were taken.
    None,
    /// A value begins with the byte taken last.
    Begin,
    /// A value has ended with the byte taken last: a number with the byte before the next.
    End,
    /// A key begins with the byte taken last, its quotation mark.
    KeyBegin,
    /// A key has ended with the byte taken last, its quotation mark.
    KeyEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    FirstItem,
    FirstKey,
    Key,
    Colon,
    Next,
    Done,
    Text,
    Escape,
    Hex(u8),
    /// Bytes still to come of a character, and what the next may be.
    Char(u8, u8, u8),
    Literal(&'static [u8]),
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// Reads one value at a time.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    state: State,
    /// Whether the text being read is a key.
    is_key: bool,
    depth: u32,
    /// A bit for each open container: an object's is set.
    objects: u128,
    /// Whether a line break inside a value is refused.
    one_line: bool,
    /// Bytes of white space side by side.
    space: usize,
    place: TextPosition,
}

impl Scanner {
    /// Begins with the byte at a place.
    pub(super) fn new(place: TextPosition) -> Self {
        Self { state: State::Value, is_key: false, depth: 0, objects: 0, one_line: false, space: 0, place }
    }

    /// Expects another value, from here on.
    pub(super) fn restart(&mut self, one_line: bool) {
        self.state = State::Value;
        self.depth = 0;
        self.one_line = one_line;
    }

    /// The next byte's place.
    pub(super) fn place(&self) -> TextPosition {
        self.place
    }

    /// How many containers are open: around a value that has just ended, around and with one that has
    /// just begun.
    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    /// Passes over a byte between values.
    pub(super) fn pass(&mut self, byte: u8) {
        self.place.pass(byte);
    }

    /// Counts a byte of white space. Errs where there is no end of it.
    pub(super) fn space(&mut self) -> Result<(), Fault> {
        self.space += 1;
        if self.space > SPACE_MAX_BYTES { Err(too_much_space(self.place)) } else { Ok(()) }
    }

    /// Takes bytes up to the next signal inside no more than `levels` containers; the number of bytes
    /// taken, and the signal.
    pub(super) fn advance(&mut self, bytes: &[u8], levels: u32) -> Result<(usize, Signal), Fault> {
        let mut at = 0;
        while at < bytes.len() {
            if self.state == State::Text {
                let run = bytes[at..].iter().take_while(|&&byte| is_plain(byte)).count();
                at += run;
                self.place.offset += run as u64;
                self.place.column += run as u64;
                if at == bytes.len() {
                    break;
                }
            }
            let byte = bytes[at];
            let (taken, signal) = self.step(byte)?;
            if taken {
                at += 1;
                self.pass(byte);
            }
            let around = if signal == Signal::Begin && matches!(byte, b'[' | b'{') {
                self.depth - 1
            } else {
                self.depth
            };
            if signal != Signal::None && around <= levels {
                return Ok((at, signal));
            }
        }
        Ok((at, Signal::None))
    }

    /// Ends the text. Whether a number ends with it.
    pub(super) fn finish(&mut self) -> Result<bool, Fault> {
        match self.state {
            State::Done => Ok(false),
            _ if self.depth == 0 && self.is_whole_number() => {
                self.state = State::Done;
                Ok(true)
            }
            State::Value if self.depth == 0 => {
                Err(self.fault("there is no value; write one (null, say) or leave the file out"))
            }
            _ => Err(self.fault("the text breaks off here; the input is cut short, write it again")),
        }
    }

    /// Takes one byte. `false` where it ended a number and is yet to be taken.
    fn step(&mut self, byte: u8) -> Result<(bool, Signal), Fault> {
        let signal = match self.state {
            State::Value
            | State::FirstItem
            | State::FirstKey
            | State::Key
            | State::Colon
            | State::Next
            | State::Done
                if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') =>
            {
                if byte == b'\n' && self.one_line && self.depth > 0 {
                    return Err(self.fault(
                        "the line ends inside a value; write one value a line, or put a record separator (0x1E) before each",
                    ));
                }
                self.space()?;
                return Ok((true, Signal::None));
            }
            State::Value => self.begin(byte)?,
            State::FirstItem if byte == b']' => self.close(),
            State::FirstItem => self.begin(byte)?,
            State::FirstKey if byte == b'}' => self.close(),
            State::FirstKey | State::Key => self.key(byte)?,
            State::Colon => self.go(byte == b':', byte, State::Value)?,
            State::Next => self.next(byte)?,
            State::Done => return Err(self.unexpected(byte)),
            State::Text => self.text(byte)?,
            State::Escape => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.to(State::Text),
                b'u' => self.to(State::Hex(4)),
                _ => {
                    return Err(self.fault(
                        "a text may escape \" \\ / b f n r t and u alone; write \\\\ for a backslash",
                    ));
                }
            },
            State::Hex(left) if byte.is_ascii_hexdigit() => {
                self.to(if left == 1 { State::Text } else { State::Hex(left - 1) })
            }
            State::Hex(_) => return Err(self.fault("four hexadecimal digits must follow \\u")),
            State::Char(left, low, high) if (low..=high).contains(&byte) => {
                self.to(if left == 1 { State::Text } else { State::Char(left - 1, 0x80, 0xBF) })
            }
            State::Char(..) => return Err(self.not_utf8(byte)),
            State::Literal(rest) if byte == rest[0] => match &rest[1..] {
                [] => self.end(),
                rest => self.to(State::Literal(rest)),
            },
            State::Literal(_) => return Err(self.unexpected(byte)),
            _ => return self.number(byte),
        };
        self.space = 0;
        Ok((true, signal))
    }

    fn to(&mut self, state: State) -> Signal {
        self.state = state;
        Signal::None
    }

    fn go(&mut self, is_right: bool, byte: u8, state: State) -> Result<Signal, Fault> {
        if is_right { Ok(self.to(state)) } else { Err(self.unexpected(byte)) }
    }

    fn begin(&mut self, byte: u8) -> Result<Signal, Fault> {
        self.state = match byte {
            b'{' | b'[' => {
                self.open(byte == b'{')?;
                if byte == b'{' { State::FirstKey } else { State::FirstItem }
            }
            b'"' => {
                self.is_key = false;
                State::Text
            }
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            b'-' => State::Minus,
            b'0' => State::Zero,
            b'1'..=b'9' => State::Integer,
            _ => return Err(self.unexpected(byte)),
        };
        Ok(Signal::Begin)
    }

    fn open(&mut self, is_object: bool) -> Result<(), Fault> {
        if self.depth == DEPTH_MAX {
            return Err(self.fault(format!("nested more than {DEPTH_MAX} deep; flatten it")));
        }
        let bit = 1 << self.depth;
        self.objects = if is_object { self.objects | bit } else { self.objects & !bit };
        self.depth += 1;
        Ok(())
    }

    fn in_object(&self) -> bool {
        self.depth > 0 && self.objects >> (self.depth - 1) & 1 == 1
    }

    fn close(&mut self) -> Signal {
        self.depth -= 1;
        self.end()
    }

    fn end(&mut self) -> Signal {
        self.state = if self.depth == 0 { State::Done } else { State::Next };
        Signal::End
    }

    fn key(&mut self, byte: u8) -> Result<Signal, Fault> {
        if byte != b'"' {
            return Err(self.unexpected(byte));
        }
        self.is_key = true;
        self.state = State::Text;
        Ok(Signal::KeyBegin)
    }

    fn next(&mut self, byte: u8) -> Result<Signal, Fault> {
        match (byte, self.in_object()) {
            (b',', true) => Ok(self.to(State::Key)),
            (b',', false) => Ok(self.to(State::Value)),
            (b'}', true) | (b']', false) => Ok(self.close()),
            _ => Err(self.unexpected(byte)),
        }
    }

    fn text(&mut self, byte: u8) -> Result<Signal, Fault> {
        match byte {
            b'"' if self.is_key => {
                self.state = State::Colon;
                Ok(Signal::KeyEnd)
            }
            b'"' => Ok(self.end()),
            b'\\' => Ok(self.to(State::Escape)),
            0..=0x1F => Err(self.fault(format!(
                "byte 0x{byte:02x} stands in a text; escape it as \\u{byte:04x}, or close the text before it"
            ))),
            0xC2..=0xDF => Ok(self.to(State::Char(1, 0x80, 0xBF))),
            0xE0 => Ok(self.to(State::Char(2, 0xA0, 0xBF))),
            0xED => Ok(self.to(State::Char(2, 0x80, 0x9F))),
            0xE1..=0xEF => Ok(self.to(State::Char(2, 0x80, 0xBF))),
            0xF0 => Ok(self.to(State::Char(3, 0x90, 0xBF))),
            0xF1..=0xF3 => Ok(self.to(State::Char(3, 0x80, 0xBF))),
            0xF4 => Ok(self.to(State::Char(3, 0x80, 0x8F))),
            0x80.. => Err(self.not_utf8(byte)),
            _ => Ok(Signal::None),
        }
    }

    fn is_whole_number(&self) -> bool {
        matches!(self.state, State::Zero | State::Integer | State::Fraction | State::ExponentDigits)
    }

    fn number(&mut self, byte: u8) -> Result<(bool, Signal), Fault> {
        use State::*;
        let next = match (self.state, byte) {
            (Minus, b'0') => Zero,
            (Minus | Integer, b'0'..=b'9') => Integer,
            (Zero | Integer, b'.') => Point,
            (Point | Fraction, b'0'..=b'9') => Fraction,
            (Zero | Integer | Fraction, b'e' | b'E') => Exponent,
            (Exponent, b'+' | b'-') => ExponentSign,
            (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => ExponentDigits,
            (Zero, b'0'..=b'9') => {
                return Err(
                    self.fault("a number begins with 0; leave the 0 out, or put text into quotation marks")
                );
            }
            _ if self.is_whole_number() => return Ok((false, self.end())),
            _ => return Err(self.unexpected(byte)),
        };
        Ok((true, self.to(next)))
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::at(self.place(), message)
    }

    fn not_utf8(&self, byte: u8) -> Fault {
        self.fault(format!("byte 0x{byte:02x} is no UTF-8 here; write the file in UTF-8"))
    }

    fn unexpected(&self, byte: u8) -> Fault {
        let shown = match byte {
            0x21..=0x7E => format!("'{}'", char::from(byte)),
            _ => format!("byte 0x{byte:02x}"),
        };
        let is_value = matches!(self.state, State::Value | State::FirstItem);
        let message = match (self.state, byte) {
            (_, b'N') if is_value => {
                "NaN and None are no JSON; write null in their place (Python: allow_nan=False finds them)"
                    .to_owned()
            }
            (_, b'I') if is_value => {
                "Infinity is no JSON; write null in its place (Python: allow_nan=False finds it)".to_owned()
            }
            (State::Minus, b'I') => {
                "-Infinity is no JSON; write null in its place (Python: allow_nan=False finds it)".to_owned()
            }
            (State::Value, b']') | (State::Key, b'}') => {
                format!("{shown} follows a comma; leave the comma out")
            }
            (State::Value | State::FirstItem | State::FirstKey | State::Key, b'\'') => {
                "a text stands in quotation marks (\"), not in apostrophes".to_owned()
            }
            (
                State::Value | State::FirstItem | State::FirstKey | State::Key | State::Next | State::Colon,
                b'/' | b'#',
            ) => "JSON has no comments; leave them out".to_owned(),
            (State::Value | State::FirstItem, _) => format!("{shown} begins no value"),
            (State::FirstKey | State::Key, _) => {
                format!("{shown} stands where a key in quotation marks must")
            }
            (State::Colon, _) => format!("{shown} stands where a colon must"),
            (State::Next, _) if self.in_object() => format!("{shown} stands where a comma or '}}' must"),
            (State::Next, _) => format!("{shown} stands where a comma or ']' must"),
            (State::Done, _) => format!(
                "{shown} follows the end of the value; leave out what is behind it, or write JSON Lines"
            ),
            (State::Literal(_), _) => {
                format!("{shown} stands inside a word; true, false and null are the words of JSON")
            }
            _ => format!("{shown} stands where a number's digit must"),
        };
        self.fault(message)
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E) && byte != b'"' && byte != b'\\'
}
