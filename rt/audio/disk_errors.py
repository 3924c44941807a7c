"""What to do about an error of the disk: the system says what failed, this says the remedy."""

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    errno.ENOSPC: "free some space or choose another disk",
    errno.EDQUOT: "your quota is used up: free some space or choose another disk",
    # FAT32 ends at 4 GiB; `ulimit -f` sets a bound as well
    errno.EFBIG: "this disk or `ulimit -f` allows no larger file: choose another disk or separate in parts",
    errno.EROFS: "the disk is read-only: choose another one",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.ENOENT: "it cannot be made there or was removed meanwhile: choose a folder you may write to",
    errno.EEXIST: "choose another folder or move its files away",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "a part of the path is a file: choose a folder you may write to",
    errno.ELOOP: "its links lead in a circle: choose another path",
    errno.EIO: "the disk or its connection fails: choose another disk",
    errno.ESTALE: "the network disk is gone: choose another disk",
    errno.EMFILE: "too many files are open: raise `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine: close some programs",
}


def remedy(error: OSError) -> str:
    """What a user can do about `error`, met while writing a file or making a folder."""
    return _REMEDIES.get(error.errno or 0, "check the path and the disk, or choose another folder")


def reason(error: OSError) -> str:
    """The system's words for what failed, such as `No space left on device`."""
    return error.strerror or str(error)
