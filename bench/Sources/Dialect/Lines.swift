/// Finds the ends of lines, which takes most of a reader's time. Blocks of constant size let the compiler use vector instructions.
public enum Lines {
    private static let blockBytes = 32

    /// The position of the first newline from `start` on, or `limit`.
    public static func end(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
        var position = start
        while position &+ blockBytes <= limit {
            let block = bytes.extracting(position..<(position &+ blockBytes))
            // 0 where the byte is a newline.
            var least: UInt8 = .max
            for index in 0..<blockBytes { least = min(least, block[index] ^ UInt8(ascii: "\n")) }
            if least == 0 { break }
            position &+= blockBytes
        }
        while position < limit, bytes[position] != UInt8(ascii: "\n") { position &+= 1 }
        return position
    }
}
