/// FNV-1a with 64 bits. Unlike `Hasher` it gives the same value in every process and version. It is not a protection against
/// chosen inputs.
package struct FNV1a {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func combine(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }
}
