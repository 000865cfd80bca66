//! The tree without any task: what lies below shows through, changes stay above, walks end where Linux's end.

use crate::abi::errno::Errno;
use crate::kernel::{Config, Kernel};
use crate::seam::scripted::ScriptedHost;
use crate::seam::{HostPath, ShareId};
use crate::task::GroupId;
use crate::vfs::data::{self, Seek};
use crate::vfs::locks::{self, LockKind, Owner};
use crate::vfs::mount::{Lazy, Recursive, bind, mount_lines, unmount};
use crate::vfs::tree::{lookup, remove_entry};
use crate::vfs::walk::Walk;
use crate::vfs::{self, InodeId, Loc, Mode, SuperKind};

const SHARE: ShareId = ShareId(0);

fn host_path(path: &str) -> HostPath {
    HostPath { share: SHARE, path: path.as_bytes().to_vec() }
}

fn machine(files: &[(&str, &[u8])]) -> (Kernel, ScriptedHost) {
    let mut host = ScriptedHost::new(1);
    for (path, data) in files {
        host.files.insert(host_path(path), data.to_vec());
    }
    (Kernel::new(Config::default()), host)
}

fn find(k: &mut Kernel, host: &mut ScriptedHost, path: &str) -> Result<Loc, Errno> {
    Walk::of_kernel(k, host)?.all(path.as_bytes())
}

fn inode(k: &mut Kernel, host: &mut ScriptedHost, path: &str) -> InodeId {
    let loc = find(k, host, path).unwrap_or_else(|errno| panic!("{path}: {errno}"));
    k.vfs.inode_at(loc)
}

fn text(k: &mut Kernel, host: &mut ScriptedHost, path: &str) -> String {
    let id = inode(k, host, path);
    let data = vfs::read_inode(k, host, id, 0, 1 << 20).unwrap_or_else(|errno| panic!("{path}: {errno}"));
    String::from_utf8(data).unwrap_or_default()
}

#[test]
fn the_default_root_has_what_programs_look_for() {
    let (mut k, mut host) = machine(&[]);
    vfs::default_root(&mut k, &mut host).expect("built");
    assert!(text(&mut k, &mut host, "/etc/passwd").starts_with("root:x:0:0:"));
    assert_eq!(inode(&mut k, &mut host, "/bin"), inode(&mut k, &mut host, "/usr/bin"));
    assert_eq!(inode(&mut k, &mut host, "/../tmp/.././tmp/"), inode(&mut k, &mut host, "/tmp"));
    let null = inode(&mut k, &mut host, "/dev/null");
    assert_eq!(k.vfs.inode(null).st_mode(), 0o020_666);
    assert_eq!(find(&mut k, &mut host, "/etc/passwd/x"), Err(Errno::ENOTDIR));
    assert_eq!(find(&mut k, &mut host, "/etc/passwd/"), Err(Errno::ENOTDIR));
    assert_eq!(find(&mut k, &mut host, "/none/x"), Err(Errno::ENOENT));
    let long = format!("/{}", "x".repeat(256));
    assert_eq!(find(&mut k, &mut host, &long), Err(Errno::ENAMETOOLONG));
    let root = k.vfs.root().expect("mounted");
    let points: Vec<String> =
        mount_lines(&k, root).iter().map(|line| String::from_utf8_lossy(&line.point).into_owned()).collect();
    assert_eq!(points, ["/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm"]);
}

#[test]
fn links_in_a_circle_give_eloop() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::symlink(&mut k, &mut host, b"b", b"/a").expect("made");
    vfs::symlink(&mut k, &mut host, b"a", b"/b").expect("made");
    assert_eq!(find(&mut k, &mut host, "/a"), Err(Errno::ELOOP));
    vfs::symlink(&mut k, &mut host, b"../../../d", b"/c").expect("made");
    vfs::mkdir(&mut k, &mut host, b"/d/e", 0o755).expect("made");
    assert_eq!(inode(&mut k, &mut host, "/c/e"), inode(&mut k, &mut host, "/d/e"));
}

#[test]
fn a_host_file_shows_through_until_it_is_written() {
    let big = vec![b'x'; 10_000];
    let (mut k, mut host) = machine(&[("dir/file", b"hello"), ("big", &big)]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::mount_share(&mut k, &mut host, b"/host", SHARE, Mode::Cow).expect("mounted");
    assert_eq!(text(&mut k, &mut host, "/host/dir/file"), "hello");
    assert_eq!(k.vfs.dropped_changes().count, 0);
    let id = inode(&mut k, &mut host, "/host/dir/file");
    assert_eq!(vfs::write_inode(&mut k, &mut host, id, 1, b"ipp"), Ok(3));
    assert_eq!(text(&mut k, &mut host, "/host/dir/file"), "hippo");
    assert_eq!(host.files[&host_path("dir/file")], b"hello");
    let dropped = k.vfs.dropped_changes();
    assert_eq!((dropped.count, dropped.paths), (1, vec![(SHARE, b"dir/file".to_vec())]));

    // Only the page that is written is copied; what is cut off does not come back.
    let id = inode(&mut k, &mut host, "/host/big");
    assert_eq!(vfs::write_inode(&mut k, &mut host, id, 5000, b"Y"), Ok(1));
    let object = k.vfs.inode(id).content().and_then(|content| content.object).expect("copied");
    assert_eq!(k.mem.object_pages(object), 1);
    vfs::set_size(&mut k, &mut host, id, 6000).expect("cut");
    vfs::set_size(&mut k, &mut host, id, 10_000).expect("grown");
    let data = vfs::read_inode(&mut k, &mut host, id, 0, 20_000).expect("read");
    assert_eq!(data.len(), 10_000);
    assert!(data[..5000].iter().all(|byte| *byte == b'x') && data[5000] == b'Y');
    assert!(data[5001..6000].iter().all(|byte| *byte == b'x') && data[6000..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_mapping_and_a_read_see_the_same_page() {
    let (mut k, mut host) = machine(&[("file", b"from the host")]);
    vfs::mount_share(&mut k, &mut host, b"/", SHARE, Mode::Cow).expect("mounted");
    let id = inode(&mut k, &mut host, "/file");
    let object = vfs::page_object(&mut k, &mut host, id).expect("object");
    vfs::fill_page(&mut k, &mut host, object, 0).expect("filled");
    assert_eq!(vfs::fill_page(&mut k, &mut host, object, 1), Err(Errno::EFAULT));
    k.mem.object_write(object, 0, b"FROM").expect("memory");
    assert_eq!(text(&mut k, &mut host, "/file"), "FROM the host");
    vfs::write_inode(&mut k, &mut host, id, 5, b"THE").expect("written");
    let mut page = [0; 13];
    k.mem.object_read(object, 0, &mut page);
    assert_eq!(&page, b"FROM THE host");
}

#[test]
fn a_hole_punched_into_a_host_file_reads_as_zeros() {
    let (mut k, mut host) = machine(&[("file", &[7; 9000])]);
    vfs::mount_share(&mut k, &mut host, b"/", SHARE, Mode::Cow).expect("mounted");
    let id = inode(&mut k, &mut host, "/file");
    data::punch(&mut k, &mut host, id, 100, 5000).expect("punched");
    let data = vfs::read_inode(&mut k, &mut host, id, 0, 9000).expect("read");
    assert!(data.iter().enumerate().all(|(at, byte)| (*byte == 0) == (100..5100).contains(&at)));
}

#[test]
fn holes_and_data_are_found() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::add_file(&mut k, &mut host, b"/f", 0o644, b"").expect("made");
    let id = inode(&mut k, &mut host, "/f");
    vfs::write_inode(&mut k, &mut host, id, 8192, b"data").expect("written");
    assert_eq!(data::seek(&k, id, 0, Seek::Data), Ok(8192));
    assert_eq!(data::seek(&k, id, 0, Seek::Hole), Ok(0));
    assert_eq!(data::seek(&k, id, 8192, Seek::Hole), Ok(8196));
    assert_eq!(data::seek(&k, id, 8196, Seek::Data), Err(Errno::ENXIO));
}

#[test]
fn a_removed_file_lives_while_it_is_referred_to() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::add_file(&mut k, &mut host, b"/d/f", 0o644, b"text").expect("made");
    let loc = find(&mut k, &mut host, "/d/f").expect("found");
    let id = k.vfs.inode_at(loc);
    k.vfs.get_dentry(loc.dentry);
    remove_entry(&mut k, loc.dentry);
    assert_eq!(find(&mut k, &mut host, "/d/f"), Err(Errno::ENOENT));
    let root = k.vfs.root().expect("mounted");
    assert_eq!(vfs::path_of(&k, loc, root), b"/d/f (deleted)");
    assert_eq!(vfs::read_inode(&mut k, &mut host, id, 0, 10), Ok(b"text".to_vec()));
    vfs::tree::put_dentry(&mut k, loc.dentry);
    assert!(k.vfs.get_inode(id).is_none());
    assert_eq!(k.vfs.super_block(k.vfs.inode(k.vfs.inode_at(root)).sb).pages, 0);
}

#[test]
fn a_full_tmpfs_gives_enospc_and_what_fits_is_written() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::build::mount_tmpfs(&mut k, &mut host, b"/t", SuperKind::Tmpfs, 0o755).expect("mounted");
    vfs::add_file(&mut k, &mut host, b"/t/f", 0o644, b"").expect("made");
    let id = inode(&mut k, &mut host, "/t/f");
    let sb = k.vfs.inode(id).sb;
    k.vfs.super_mut(sb).max_pages = Some(2);
    assert_eq!(vfs::write_inode(&mut k, &mut host, id, 0, &[1; 10_000]), Ok(8192));
    assert_eq!(vfs::write_inode(&mut k, &mut host, id, 8192, &[1]), Err(Errno::ENOSPC));
    vfs::set_size(&mut k, &mut host, id, 0).expect("cut");
    assert_eq!(vfs::write_inode(&mut k, &mut host, id, 0, &[1; 8192]), Ok(8192));
}

#[test]
fn mounts_come_and_go() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::add_file(&mut k, &mut host, b"/a/b/f", 0o644, b"under").expect("made");
    vfs::build::mount_tmpfs(&mut k, &mut host, b"/a/b", SuperKind::Tmpfs, 0o755).expect("mounted");
    assert_eq!(find(&mut k, &mut host, "/a/b/f"), Err(Errno::ENOENT));
    let (a, b) = (find(&mut k, &mut host, "/a").expect("a"), find(&mut k, &mut host, "/a/b").expect("b"));
    assert_eq!(inode(&mut k, &mut host, "/a/b/.."), k.vfs.inode_at(a));
    vfs::mkdir(&mut k, &mut host, b"/c", 0o755).expect("made");
    let c = find(&mut k, &mut host, "/c").expect("c");
    bind(&mut k, a, c, Recursive::Yes).expect("bound");
    vfs::add_file(&mut k, &mut host, b"/c/b/g", 0o644, b"seen").expect("made");
    assert_eq!(text(&mut k, &mut host, "/a/b/g"), "seen");
    let c = find(&mut k, &mut host, "/c").expect("c");
    assert_eq!(unmount(&mut k, c, Lazy::No), Err(Errno::EBUSY));
    unmount(&mut k, c, Lazy::Yes).expect("detached");
    unmount(&mut k, b, Lazy::No).expect("unmounted");
    assert_eq!(text(&mut k, &mut host, "/a/b/f"), "under");
    assert_eq!((k.vfs.mounts.len(), k.vfs.supers.len()), (1, 1));
}

#[test]
fn an_archive_is_a_tree() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o640);
    header.set_size(5);
    header.set_mtime(1_000);
    builder.append_data(&mut header, "usr/share/text", &b"12345"[..]).expect("added");
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "link", "usr/share/text").expect("added");
    let mut hard = tar::Header::new_gnu();
    hard.set_entry_type(tar::EntryType::Link);
    hard.set_size(0);
    builder.append_link(&mut hard, "hard", "usr/share/text").expect("added");
    let plain = builder.into_inner().expect("finished");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &plain).expect("packed");
    let packed = packed.finish().expect("packed");
    for archive in [plain, packed] {
        let (mut k, mut host) = machine(&[("a.tar", &archive)]);
        vfs::mount_tar(&mut k, &mut host, b"/", &host_path("a.tar"), Mode::Cow).expect("mounted");
        assert_eq!(text(&mut k, &mut host, "/link"), "12345");
        assert_eq!(text(&mut k, &mut host, "/hard"), "12345");
        let id = inode(&mut k, &mut host, "/usr/share/text");
        let found = k.vfs.inode(id);
        assert_eq!((found.mode, found.nlink, found.mtime), (0o640, 2, 1_000_000_000_000));
        vfs::write_inode(&mut k, &mut host, id, 5, b"6").expect("written");
        assert_eq!(text(&mut k, &mut host, "/hard"), "123456");
    }
}

#[test]
fn record_locks_merge_split_and_see_deadlocks() {
    let (mut k, _) = machine(&[]);
    let (one, two) = (Owner::Process(GroupId(1)), Owner::Process(GroupId(2)));
    let file = InodeId(9);
    let (read, write) = (Some(LockKind::Read), Some(LockKind::Write));
    locks::set_record(&mut k, file, one, 0, 9, write).expect("free");
    locks::set_record(&mut k, file, one, 10, 19, write).expect("free");
    assert_eq!(k.vfs.locks.records().count(), 1);
    assert_eq!(locks::set_record(&mut k, file, two, 5, 5, read), Err(Errno::EAGAIN));
    locks::set_record(&mut k, file, one, 5, 14, None).expect("unlocked");
    assert_eq!(k.vfs.locks.records().count(), 2);
    locks::set_record(&mut k, file, two, 5, 5, write).expect("free now");
    locks::begin_wait(&mut k, GroupId(1), two).expect("waits");
    assert_eq!(locks::begin_wait(&mut k, GroupId(2), one), Err(Errno::EDEADLK));
    locks::process_ended(&mut k, GroupId(1));
    assert_eq!(k.vfs.locks.records().count(), 1);
}

#[test]
fn a_snapshot_keeps_the_tree_as_it_was() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    vfs::add_file(&mut k, &mut host, b"/f", 0o644, b"before").expect("made");
    let mut snapshot = k.clone();
    let id = inode(&mut k, &mut host, "/f");
    vfs::write_inode(&mut k, &mut host, id, 0, b"after!").expect("written");
    vfs::add_file(&mut k, &mut host, b"/g", 0o644, b"new").expect("made");
    assert_eq!(text(&mut snapshot, &mut host, "/f"), "before");
    assert_eq!(find(&mut snapshot, &mut host, "/g"), Err(Errno::ENOENT));
}

#[test]
fn a_directory_of_many_files_stays_fast() {
    let (mut k, mut host) = machine(&[]);
    vfs::mount_root_tmpfs(&mut k, &mut host);
    let root = k.vfs.root().expect("mounted");
    let sb = k.vfs.inode(k.vfs.inode_at(root)).sb;
    for n in 0..50_000u32 {
        let kind = vfs::InodeKind::Regular(vfs::Content::default());
        let inode = k.vfs.inodes.insert(vfs::tree::new_inode(sb, kind, 0o644, (0, 0), 0));
        k.vfs.add_entry(root.dentry, format!("file{n}").as_bytes(), inode);
    }
    for n in (0..50_000).step_by(97) {
        lookup(&mut k, &mut host, None, root.dentry, format!("file{n}").as_bytes()).expect("there");
    }
    assert_eq!(k.vfs.entry_count(root.dentry), 50_000);
}
