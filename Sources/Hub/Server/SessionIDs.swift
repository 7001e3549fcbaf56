import Linux

/// The public names of sessions.
enum SessionIDs {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// Of one system call, which always gives as much as 256 bytes (getrandom(2)).
    private static let atOnce = 20
    private static let bytesOfOne = 12

    /// Some at once. 90 random bits each: a session id cannot be guessed, and never repeats. 15 characters are what a string holds without
    /// memory of its own.
    static func make() -> [String] {
        var random: [UInt8]
        do {
            random = try Random.bytes(atOnce * bytesOfOne)
        } catch {
            // The standard library's way to the same generator cannot fail, and takes a system call for each number.
            var generator = SystemRandomNumberGenerator()
            random = (0..<bytesOfOne).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        return stride(from: 0, to: random.count, by: bytesOfOne).map { start in
            var bits = random[start..<start + bytesOfOne].reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            var text: [UInt8] = []
            for _ in 0..<15 {
                text.append(digits[Int(truncatingIfNeeded: bits & 63)])
                bits >>= 6
            }
            return String(decoding: text, as: UTF8.self)
        }
    }
}
