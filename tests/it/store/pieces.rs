//! A batch that goes in by pieces, for whoever rests between them.

use wardstream::adapters::store::{MemoryStore, SledStore};
use wardstream::ports::store::StateStore;

use super::{CACHE, batch, count_held, spot, value};

/// Users go in whole, the place with the last of them, and the sums hold after each piece.
#[test]
fn a_batch_that_goes_in_by_pieces_leaves_what_one_at_once_does() {
    let parts = |round: u32| {
        let user = |user| format!("u{user}={round} u{user}/apps={user} u{user}/touch={round}");
        batch(&(0..300).map(user).collect::<Vec<_>>().join(" "), spot(i64::from(round)))
    };
    let pieces = |store: &dyn StateStore| {
        store.apply_batch(3, &parts(1)).unwrap();
        let (batch, mut from, mut pieces) = (parts(2), 0, 0);
        loop {
            let (next, checkpoint) = store.apply_some(3, &batch, from).unwrap();
            pieces += 1;
            assert_eq!(store.verify(3, &mut |_| ()).unwrap(), checkpoint);
            if next == batch.parts.len() {
                assert_eq!((checkpoint.place, checkpoint.users, checkpoint.held), (spot(2), 300, 600));
                assert_eq!(value(store, 3, "u299/touch").as_deref(), Some("2"));
                return pieces;
            }
            assert_eq!((next > from, next % 3, checkpoint.place), (true, 0, spot(1)));
            from = next;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let disk = SledStore::open(folder.path(), CACHE, "now").unwrap().store.counting(count_held);
    assert_eq!(pieces(&disk), 5);
    assert_eq!(pieces(&MemoryStore::new().counting(count_held)), 1);
    assert_eq!(pieces(&MemoryStore::with_power_to_lose().counting(count_held)), 300);
}
