import Glibc

/// Host names, by the system's resolver: for command-line programs. It blocks.
public enum Names {
    /// Numeric addresses in the order the system prefers; a numeric one is its own.
    public static func resolve(_ host: String) throws(SystemError) -> [String] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { throw SystemError(call: "look up \(host)", errno: ENOENT) }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [String] = []
        var entry = unsafe list
        while let current = unsafe entry {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let count = socklen_t(text.count)
            let named = unsafe text.withUnsafeMutableBufferPointer {
                unsafe getnameinfo(current.pointee.ai_addr, current.pointee.ai_addrlen, $0.baseAddress, count, nil, 0, NI_NUMERICHOST)
            }
            if named == 0 { addresses.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)) }
            unsafe entry = current.pointee.ai_next
        }
        return addresses
    }
}
