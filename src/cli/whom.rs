//! Whom a command is about, in one word: `tenant/user`, or `user` of the default tenant.

use super::Failure;
use crate::model::id::{DEFAULT_TENANT, USER_BYTES_MAX, UserKey, is_tenant};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whom {
    tenant: String,
    user: String,
}

impl Whom {
    /// What stands before the first `/` is the tenant where it can be one: `spiffe://…` names none.
    ///
    /// # Errors
    /// When it cannot be anybody's. `name` is that of the argument.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let (tenant, user) = match text.split_once('/') {
            Some((tenant, user)) if is_tenant(tenant) => (tenant, user),
            _ => (DEFAULT_TENANT, text),
        };
        if user.is_empty() || user.len() > USER_BYTES_MAX {
            return Err(Failure::input(format!(
                "{name}: found a user of {} bytes, expected TENANT/USER or USER with 1 to {USER_BYTES_MAX}; give the \
                 `tenant` and the `user_id` that events state",
                user.len()
            )));
        }
        Ok(Self { tenant: tenant.to_owned(), user: user.to_owned() })
    }

    pub(super) fn of(tenant: &str, user: &str) -> Self {
        Self { tenant: tenant.to_owned(), user: user.to_owned() }
    }

    pub(super) fn is(&self, tenant: &str, user: &str) -> bool {
        self.tenant == tenant && self.user == user
    }

    /// Whether the key is of a user of this name, of any tenant.
    pub(super) fn is_namesake(&self, key: &[u8]) -> bool {
        let name = key.iter().position(|byte| *byte == b'/').and_then(|at| key.get(at + 1..));
        name == Some(self.user.as_bytes())
    }

    /// Tenant and user.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.tenant, &self.user)
    }

    pub(super) fn key(&self) -> UserKey {
        UserKey::new(&self.tenant, &self.user)
    }
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let user: String = self.user.chars().map(plain).collect();
        write!(f, "{}/{user}", self.tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let expected = expected.map(|(tenant, user)| Whom::of(tenant, user));
        assert_eq!(Whom::parse("USER", text).ok(), expected, "{text}");
    }

    #[test]
    fn a_tenant_is_named_before_the_first_slash() {
        check("acme/ada", Some(("acme", "ada")));
        check("ada", Some(("default", "ada")));
        check("acme/a/b", Some(("acme", "a/b")));
        check("spiffe://acme/builder", Some(("default", "spiffe://acme/builder")));
        check("prod/spiffe://acme/builder", Some(("prod", "spiffe://acme/builder")));
        check("Acme/ada", Some(("default", "Acme/ada")));
        check("", None);
        check("acme/", None);
        check(&"x".repeat(257), None);
    }
}
