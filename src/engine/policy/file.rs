//! From a name to a policy: a shipped one, or a file and what it extends beside it.

use std::io;
use std::path::Path;

use super::{Extended, Policy, parse};
use crate::engine::document::{Mistake, quoted};

/// The text of a policy that is compiled in.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

impl Policy {
    /// Reads a shipped policy by its name (`seed`, `default`), else a file through `read`.
    pub fn load(
        name_or_path: &str,
        read: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, Vec<Mistake>> {
        if let Some(text) = shipped(name_or_path) {
            return parse(name_or_path, text, &mut |name| extended(name, None, read));
        }
        let path = Path::new(name_or_path);
        let text = read(path).map_err(|error| {
            let names = SHIPPED.map(|(name, _)| name).join(" and ");
            let text = format!("cannot be read ({error}); name a policy file, or a shipped policy: {names}");
            vec![Mistake::of_file(name_or_path, text)]
        })?;
        parse(name_or_path, &text, &mut |name| extended(name, path.parent(), read))
    }

    /// A policy of its texts, what is extended first: as [`Policy::texts`] has them.
    pub fn of_texts(name: &str, texts: &[String]) -> Result<Self, Vec<Mistake>> {
        let Some((text, extended)) = texts.split_last() else {
            return Err(vec![Mistake::of_file(name, "it has no text; expected the texts of a policy")]);
        };
        let mut extended = extended.iter().rev();
        parse(name, text, &mut |file| {
            let text = extended.next().ok_or_else(|| format!("the text of `{file}` is not there"))?;
            Ok(Extended { file: file.to_owned(), text: text.clone() })
        })
    }

    /// A shipped policy: the seed alone, or what `ward` uses unless told otherwise.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        let none = |_: &Path| Err(io::ErrorKind::NotFound.into());
        Self::load(name, &none).ok()
    }
}

/// The policy that another names in `extends`: beside it, else shipped.
fn extended(
    name: &str,
    folder: Option<&Path>,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Extended, String> {
    if let Some(folder) = folder {
        let path = folder.join(format!("{name}.toml"));
        match read(&path) {
            Ok(text) => return Ok(Extended { file: path.display().to_string(), text }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(format!("{} cannot be read ({error})", quoted(&path.to_string_lossy())));
            }
        }
    }
    shipped(name).map(|text| Extended { file: name.to_owned(), text: text.to_owned() }).ok_or_else(|| {
        let names = SHIPPED.map(|(name, _)| name).join(", ");
        format!("there is no `{name}.toml` beside this file; the shipped policies are {names}")
    })
}

const SHIPPED: [(&str, &str); 2] = [
    ("seed", include_str!("../../../config/policy/seed.toml")),
    ("default", include_str!("../../../config/policy/default.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `a.toml` among `files` and says what was wrong.
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let mistakes = Policy::load("p/a.toml", &read).err().unwrap_or_default();
        assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn shipped_policies_have_no_mistakes() {
        for (name, _) in SHIPPED {
            let read = |_: &Path| Err(io::ErrorKind::NotFound.into());
            assert_eq!(Policy::load(name, &read).map(|policy| policy.name), Ok(name.to_owned()));
        }
    }

    #[test]
    fn extends_a_file_beside_it_or_a_shipped_policy() {
        check(&[("p/a.toml", "version = 1\nextends = 'default'")], &[]);
        check(
            &[
                ("p/a.toml", "version = 1\nextends = 'b'"),
                ("p/b.toml", "version = 1\nextends = 'seed'\n[levels]\nmedium = 21"),
            ],
            &[],
        );
    }

    #[test]
    fn refuses_what_cannot_be_extended() {
        check(
            &[("p/a.toml", "version = 1\nextends = 'sede'")],
            &[
                "p/a.toml:2:11: `extends`: there is no `sede.toml` beside this file; the shipped policies are seed, default",
            ],
        );
        check(
            &[("p/a.toml", "version = 1\nextends = '../b'")],
            &[
                "p/a.toml:2:11: `extends` is the string `../b`, expected the name of a policy beside this file, without folder and ending",
            ],
        );
        check(
            &[("p/a.toml", "version = 1\nextends = 'b'"), ("p/b.toml", "version = 1\nextends = 'b'")],
            &[
                "p/b.toml:2:11: `extends`: `b` extends itself (a, b, b); name the file differently, or extend another",
            ],
        );
    }

    #[test]
    fn names_the_extended_file_for_its_mistakes() {
        check(
            &[
                ("p/a.toml", "version = 1\nextends = 'b'\nmod = 'enforce'"),
                ("p/b.toml", "version = 1\nextends = 'seed'\nmode = 'enforced'"),
            ],
            &[
                "p/b.toml:3:8: `mode` is `enforced`; did you mean `enforce`?",
                "p/a.toml:3:1: unknown field `mod`; did you mean `mode`?",
            ],
        );
    }

    #[test]
    fn says_when_there_is_no_such_file() {
        check(
            &[],
            &[
                "p/a.toml: cannot be read (entity not found); name a policy file, or a shipped policy: seed and default",
            ],
        );
    }
}
