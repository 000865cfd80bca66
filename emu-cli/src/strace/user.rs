//! `-u`: a user's numbers from the guest's own list of users.

use std::ffi::OsString;
use std::path::PathBuf;

/// `UID:GID` of a user, from `/etc/passwd` of the root that emu's options `run` name, of the host where they name none.
pub(super) fn find(name: &str, run: &[OsString]) -> Option<String> {
    let mut root = PathBuf::from("/");
    let mut options = run.iter();
    while let Some(option) = options.next() {
        if option == "--root" {
            root = options.next()?.into();
        } else if let Some(value) = option.to_string_lossy().strip_prefix("--root=") {
            root = value.into();
        }
    }
    let list = std::fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let found = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (user, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (user == name && uid.parse::<u32>().is_ok() && gid.parse::<u32>().is_ok())
            .then(|| format!("{uid}:{gid}"))
    });
    // An archive is not looked into for this: two names that every system has.
    found.or_else(|| match name {
        "root" => Some("0:0".to_owned()),
        "nobody" => Some("65534:65534".to_owned()),
        _ => None,
    })
}
