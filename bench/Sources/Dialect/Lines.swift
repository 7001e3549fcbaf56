/// Where lines end: most of a reader's time goes into this. Blocks of constant size let the compiler use vectors.
public enum Lines {
    private static let blockBytes = 32

    /// The place of the first newline from `start` on, or `limit`.
    public static func end(_ bytes: Span<UInt8>, _ start: Int, _ limit: Int) -> Int {
        var place = start
        while place &+ blockBytes <= limit {
            let block = bytes.extracting(place..<(place &+ blockBytes))
            // 0 where there is one.
            var least: UInt8 = .max
            for index in 0..<blockBytes { least = min(least, block[index] ^ UInt8(ascii: "\n")) }
            if least == 0 { break }
            place &+= blockBytes
        }
        while place < limit, bytes[place] != UInt8(ascii: "\n") { place &+= 1 }
        return place
    }
}
