//! As much of the DNS wire format (RFC 1035, 2782) as SRV look-ups need.

use std::net::Ipv4Addr;

/// The record types that are answered.
pub(super) const A: u16 = 1;
pub(super) const CNAME: u16 = 5;
pub(super) const SRV: u16 = 33;

const CLASS_IN: u16 = 1;
const HEADER: usize = 12;
/// Response, recursion desired and available.
const FLAGS: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;

/// One record of an answer.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// As in a [`Question`].
    pub(super) owner: String,
    pub(super) kind: u16,
    pub(super) data: Vec<u8>,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) id: u16,
    /// In lower case, without the final dot.
    pub(super) name: String,
    pub(super) kind: u16,
    /// The question section as it came, to be sent back.
    section: Vec<u8>,
}

impl Question {
    /// Reads a query with exactly one question.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = packet.get(at..at + 2)?;
            Some(u16::from_be_bytes([bytes[0], bytes[1]]))
        };
        if number(4)? != 1 {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = packet.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_lowercase());
            at += length;
        }
        Some(Self {
            id: number(0)?,
            name: labels.join("."),
            kind: number(at)?,
            section: packet.get(HEADER..at + 4)?.to_vec(),
        })
    }

    /// An answer with this response code and these records.
    pub(super) fn answer(&self, code: u16, ttl: u32, records: &[Record]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap_or(u16::MAX);
        let mut packet = self.head(FLAGS | code, count);
        for record in records {
            if record.owner == self.name {
                // A pointer to the name in the question.
                packet.extend(0xC00C_u16.to_be_bytes());
            } else {
                packet.extend(name_data(&record.owner));
            }
            packet.extend(record.kind.to_be_bytes());
            packet.extend(CLASS_IN.to_be_bytes());
            packet.extend(ttl.to_be_bytes());
            let length = u16::try_from(record.data.len()).unwrap_or(u16::MAX);
            packet.extend(length.to_be_bytes());
            packet.extend(&record.data);
        }
        packet
    }

    /// An answer that says it did not fit, and holds nothing.
    pub(super) fn truncated(&self) -> Vec<u8> {
        self.head(FLAGS | TRUNCATED, 0)
    }

    fn head(&self, flags: u16, answers: u16) -> Vec<u8> {
        let mut packet = Vec::new();
        for number in [self.id, flags, 1, answers, 0, 0] {
            packet.extend(number.to_be_bytes());
        }
        packet.extend(&self.section);
        packet
    }
}

/// The data of an SRV record.
pub(super) fn srv_data(priority: u16, weight: u16, port: u16, target: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for number in [priority, weight, port] {
        data.extend(number.to_be_bytes());
    }
    data.extend(name_data(target));
    data
}

/// A name, uncompressed: also the data of a CNAME record. Labels are cut to the 63 bytes that they can have.
pub(super) fn name_data(name: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        data.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        data.extend(label);
    }
    data.push(0);
    data
}

/// The data of an A record.
pub(super) fn a_data(address: Ipv4Addr) -> Vec<u8> {
    address.octets().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for `a.b` of type SRV with an EDNS record behind it, as resolvers send it.
    const QUERY: &[u8] = &[
        0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'a', 1, b'B', 0, 0, 33, 0, 1, 0, 0, 41,
        4, 208, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn a_question_is_read_and_sent_back_with_its_answer() {
        let question = Question::parse(QUERY).expect("a query");
        assert_eq!(
            (question.id, question.name.as_str(), question.kind),
            (0x1234, "a.b", SRV)
        );
        let srv = |owner: &str| Record {
            owner: owner.to_owned(),
            kind: SRV,
            data: srv_data(1, 2, 443, "x.y."),
        };
        let packet = question.answer(0, 60, &[srv("a.b")]);
        assert_eq!(packet[..4], [0x12, 0x34, 0x81, 0x80]);
        assert_eq!(packet[4..12], [0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(packet[12..21], QUERY[12..21]);
        let record = [0xC0, 0x0C, 0, 33, 0, 1, 0, 0, 0, 60, 0, 11];
        assert_eq!(packet[21..33], record);
        assert_eq!(packet[33..], [0, 1, 0, 2, 1, 187, 1, b'x', 1, b'y', 0]);
        // The record of another name has that name in full.
        let packet = question.answer(0, 60, &[srv("c")]);
        assert_eq!(packet[21..26], [1, b'c', 0, 0, 33]);
    }

    #[test]
    fn broken_queries_are_not_answered() {
        for end in 0..21 {
            assert_eq!(Question::parse(&QUERY[..end]), None, "{end}");
        }
    }
}
