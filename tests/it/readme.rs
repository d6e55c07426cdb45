//! What the README shows is what the commands in it say.

use std::process::{Command, Output};

#[track_caller]
fn shell(line: &str) -> String {
    let ward = env!("CARGO_BIN_EXE_ward");
    let output: Output = Command::new("bash")
        .args(["-c", &format!("ward() {{ '{ward}' \"$@\"; }}; {line}")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The JSON that the README shows after `command` is cut with `…`: every piece of it must be in what
/// the command prints, in that order.
#[track_caller]
fn check(command: &str) {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let (_, rest) = readme.split_once(command).unwrap_or_else(|| panic!("the README has no `{command}`"));
    let (_, rest) = rest.split_once("```json\n").unwrap();
    let (shown, _) = rest.split_once("\n```").unwrap();
    // Broken for people; the command prints one line.
    let shown: String = shown.lines().map(str::trim_start).collect();
    let printed = shell(command);
    let mut left = printed.as_str();
    for piece in shown.split('…').map(|piece| piece.trim_matches([' ', ','])).filter(|piece| piece.len() > 3)
    {
        let at = left.find(piece).unwrap_or_else(|| panic!("`{piece}` is not in what is left of {printed}"));
        left = &left[at + piece.len()..];
    }
}

#[test]
fn the_first_events_by_hand_say_what_is_shown() {
    check(
        r#"echo '{"user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z","outcome":"success"}' | ward score -"#,
    );
    check("ward score docs/examples/ada.jsonl | tail -1");
}
