/// A message of several JSON objects, a line each.
struct MessageLines {
    var bytes: [UInt8] = []

    mutating func add(_ write: (inout [UInt8]) -> Void) {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: "\n")) }
        write(&bytes)
    }
}
