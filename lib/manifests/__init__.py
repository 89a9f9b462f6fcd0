"""The manifests of datasets and weights: what exists, where it is, how to get and verify it.

`data_manifests/<kind>/*.yaml` holds one entry per file. An entry's `source` is one of

    {package, version, file | folder}   inside an installed package
    {url, file}                         downloaded by `fetch`
    {file | folder}                     downloaded by `fetch` if there are `downloads`, or else put
    there by hand, as `obtain` says
    {generator, seed}                   drawn by the function "module:name"; its path is the
    module's

The `downloads` of a folder are archives, which are unpacked in it, or plain files. Each has its
`url`; its name, `file`, unless the address ends in it; a checksum, `md5` or `sha256`, if there is
one; the folder `into` which it goes; and the `splits` that need it, unless all do.

A dataset in several packages lists under `further` the source, licence and files of each package
after the first; `parts` makes an entry of each. `depicts` names the kind of its images. `sort`
names the dataset whose published numbers its own may be compared with. By default `sort` is the
dataset's own name, so they are compared with none.

The `tensors` of weights are listed in the network's order, or by the network's names. For a file
whose `format` is not PyTorch's, they map parts of the file's names to their replacements; see
`nets.foreign_weights`. `architecture` and `options` build a network that timm or torchvision has
under another name.

Downloaded and hand-placed files lie in `data_home()/<kind>`. The `splits` of a drawn dataset give
the number of samples in each; for a dataset that is read, `images` gives them, and `bytes` the
size of its archives, of all or by split. `data_manifests/networks.yaml` names the recipe,
"module:name", of each network that is trained here. Modules are imported only when they are
needed.
"""

from .checksums import Verified, changed, check_file, locate, unpacked, verify
from .fetching import fetch
from .finding import Status, Unfinished, find, how, remedy, status, where
from .reading import SCHEMAS, VALUES, Entry, StrictLoader, entry, networks, parts, read, resolve

__all__ = [
    *("Entry", "SCHEMAS", "Status", "StrictLoader", "Unfinished", "VALUES", "Verified"),
    *("changed", "check_file", "entry", "fetch", "find", "how", "locate", "networks", "parts"),
    *("read", "remedy", "resolve", "status", "unpacked", "verify", "where"),
]
