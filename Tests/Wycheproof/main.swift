// `wycheproof DIR`: checks Auth and OpenSSL against Project Wycheproof's vectors (https://github.com/C2SP/wycheproof, Apache-2.0),
// which are not kept here. Exits 1 when a file is missing, empty or unreadable, and when any case comes out otherwise than the
// file says, unless `disagreements` names it with its reason.
import Foundation
import JSON

guard CommandLine.arguments.count == 2 else {
    print("usage: wycheproof DIR")
    exit(1)
}
var tally = Tally()
let folder = URL(filePath: CommandLine.arguments[1])
for file in VectorFile.all {
    do {
        try file.run(in: folder, into: &tally)
    } catch {
        tally.fail("\(file.name): \(error)")
    }
}
tally.finish()
exit(tally.failed == 0 ? 0 : 1)
