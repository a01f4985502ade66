//! Properties: the walk and the reference give the same answer.

use crate::messages::{v1_body, v2_body};
use emberwatch::wire::{
    Limits, MessageType,
    reference::{decode, disagreement},
};
use proptest::{prelude::*, sample::Index};

/// A change to a body: the kinds of damage that keep most of the structure alive.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    FlipBit(Index, u32),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Truncate(Index),
    Repeat(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    // Bytes that mean something: keys, lengths, continuation bits.
    let byte = || prop_oneof![0_u8..0x40, any::<u8>(), Just(0xff), Just(0x80)];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<Index>(), 0_u32..8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        (any::<Index>(), prop::collection::vec(byte(), 1..4))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<Index>(), 1_usize..4).prop_map(|(at, bytes)| Damage::Remove(at, bytes)),
        any::<Index>().prop_map(Damage::Truncate),
        (any::<Index>(), 1_usize..20).prop_map(|(at, bytes)| Damage::Repeat(at, bytes)),
    ]
}

impl Damage {
    fn apply(&self, body: &mut Vec<u8>) {
        if body.is_empty() {
            return;
        }
        match self {
            Self::Set(at, byte) => *at.get_mut(body) = *byte,
            Self::FlipBit(at, bit) => *at.get_mut(body) ^= 1 << bit,
            Self::Insert(at, bytes) => {
                let at = at.index(body.len());
                body.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at, bytes) => {
                let at = at.index(body.len());
                body.drain(at..body.len().min(at + bytes));
            }
            Self::Truncate(at) => body.truncate(at.index(body.len())),
            Self::Repeat(at, bytes) => {
                let at = at.index(body.len());
                let copy = body[at..body.len().min(at + bytes)].to_vec();
                body.splice(at..at, copy);
            }
        }
    }
}

fn damaged(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (body, prop::collection::vec(damage(), 1..4)).prop_map(|(mut body, damages)| {
        damages.iter().for_each(|damage| damage.apply(&mut body));
        body
    })
}

/// A run of fields that mostly have the right numbers and types: reaches deeper than plain noise.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![(1_u8..7, 0_u8..6).prop_map(|(field, kind)| field << 3 | kind), any::<u8>()];
    let content = prop::collection::vec(any::<u8>(), 0..12);
    let field = (key, content).prop_map(|(key, content)| {
        let length = (key & 7 == 2).then_some(content.len() as u8);
        [key].into_iter().chain(length).chain(content).collect::<Vec<u8>>()
    });
    prop::collection::vec(field, 0..12).prop_map(|fields| fields.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// For all requests that prost encodes, the walk gives what the reference gives.
    #[test]
    fn valid_requests_of_1_0(body in v1_body()) {
        prop_assert!(decode(MessageType::V1, &body, &Limits::default()).is_ok());
        prop_assert_eq!(disagreement(MessageType::V1, &body), None);
    }

    /// For all requests that prost encodes, the walk gives what the reference gives.
    #[test]
    fn valid_requests_of_2_0(body in v2_body()) {
        prop_assert_eq!(disagreement(MessageType::V2, &body), None);
    }

    /// For all damaged requests, both refuse, or both take the same.
    #[test]
    fn damaged_requests_of_1_0(body in damaged(v1_body())) {
        prop_assert_eq!(disagreement(MessageType::V1, &body), None);
    }

    /// For all damaged requests, both refuse, or both take the same.
    #[test]
    fn damaged_requests_of_2_0(body in damaged(v2_body())) {
        prop_assert_eq!(disagreement(MessageType::V2, &body), None);
    }

    /// For all bytes, both refuse, or both take the same.
    #[test]
    fn noise_is_taken_or_refused_alike(body in noise()) {
        prop_assert_eq!(disagreement(MessageType::V1, &body), None);
        prop_assert_eq!(disagreement(MessageType::V2, &body), None);
    }
}
