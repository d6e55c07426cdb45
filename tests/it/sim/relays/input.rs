//! Sightings from a seed: a few origins, more users than it takes to be notable, and time that goes on.

use std::time::Duration;

use wardstream::engine::emit::sighting_avro;
use wardstream::model::across::{Origin, Sight, Sighting};
use wardstream::model::time::Timestamp;

use crate::sim::input::Input;
use crate::sim::script::Dice;

pub fn sightings(dice: &mut Dice, partitions: i32) -> Vec<Input> {
    let (records, users, origins) = (10 + dice.roll(40), 6 + dice.roll(10), 1 + dice.roll(3));
    let mut at = Timestamp::parse("2026-01-05T09:00:00Z").unwrap();
    (0..records)
        .map(|_| {
            // Now and then everybody is gone for so long that what was seen counts no more.
            let minutes = if dice.roll(12) == 0 { 60 * dice.roll(30) } else { dice.roll(10) };
            at = at.plus(Duration::from_secs(60 * minutes));
            let number = dice.roll(origins);
            let origin = match number {
                0 => Origin::network_v4([81, 2, 69, 142].into()),
                number => Origin::Device(number),
            };
            let partition = i32::try_from(number).unwrap() % partitions;
            let sight = dice.pick(&[Sight::Failed, Sight::Failed, Sight::UnknownUser, Sight::Succeeded]);
            let (mut key, mut value) = (Vec::new(), Vec::new());
            origin.write_key("acme", &mut key);
            sighting_avro(&Sighting { sight, user: dice.roll(users), at }, &mut value);
            match dice.roll(20) {
                0 => key = b"acme/somebody".to_vec(),
                1 => value.truncate(value.len() - 1),
                _ => {}
            }
            Input { partition, recorded_at: Some(at), key: Some(key), value, junk: None }
        })
        .collect()
}
