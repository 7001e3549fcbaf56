import Linux

/// The public names of sessions.
package enum SessionIDs {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// What a string holds without memory of its own.
    private static let length = 15
    /// Of one system call, which always gives as much as 256 bytes (getrandom(2)).
    private static let atOnce = 17

    /// Some at once. Of 90 random bits each: a session id cannot be guessed, and never repeats.
    package static func make() -> [String] {
        var random: [UInt8]
        do {
            random = try Random.bytes(atOnce * length)
        } catch {
            // The standard library's way to the same generator cannot fail, and takes a system call for each number.
            var generator = SystemRandomNumberGenerator()
            random = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        for index in random.indices { random[index] = digits[Int(random[index] & 63)] }
        return stride(from: 0, to: random.count, by: length).map { String(decoding: random[$0..<$0 + length], as: UTF8.self) }
    }
}
