import WSProtocol
import Zlib

/// Frames: headers, masking, UTF-8 and compression.
enum FrameBenchmarks {
    static var all: [Benchmark] {
        [
            Benchmark(
                name: "frame-decode", title: "decode a masked frame of 8 B, one to a read", yardsticks: [Benchmark.copying(14)]
            ) { ClientFrames.receiving(ClientFrames(.binary, [UInt8](repeating: 7, count: 8))) },
            Benchmark(
                name: "frame-decode-joined", title: "decode a masked frame of 8 B, 16 to a read", yardsticks: [Benchmark.copying(14)]
            ) { ClientFrames.receiving(ClientFrames(.binary, [UInt8](repeating: 7, count: 8), count: 16)) },
            Benchmark(
                name: "frame-encode-300", title: "encode a frame of 300 B, in new storage", yardsticks: [Benchmark.copying(304)]
            ) {
                let payload = opaque(Texts.ascii(300))
                return { times in
                    var done = 0
                    for _ in 0..<times where keep(FrameEncoder.text(payload.span)) == 304 { done += 1 }
                    return done
                }
            },
        ] + [300, 2048, 65536].map(unmasking)
            + [
                utf8("ascii", Texts.ascii, 300), utf8("ascii", Texts.ascii, 2048), utf8("german", Texts.german, 2048),
                utf8("greek", Texts.greek, 2048),
            ] + [("300", 300), ("2048", 2048)].flatMap { [inflating($0.0, $0.1), deflating($0.0, $0.1)] }
    }

    private static func unmasking(_ bytes: Int) -> Benchmark {
        Benchmark(
            name: "unmask-\(bytes)", title: "receive and unmask a binary frame of \(bytes) B", weight: bytes > 10_000 ? 10 : 1,
            yardsticks: [Benchmark.copying(bytes)]
        ) { ClientFrames.receiving(ClientFrames(.binary, [UInt8](repeating: 7, count: bytes))) }
    }

    /// The UTF-8 check is the additional cost of a text frame over a binary frame of the same size.
    private static func utf8(_ language: String, _ text: @escaping (Int) -> [UInt8], _ bytes: Int) -> Benchmark {
        let yardstick = Benchmark.Yardstick(name: "UTF8Span(validating:)") {
            let payload = opaque(text(bytes))
            return { times in
                var done = 0
                for _ in 0..<times where try UTF8Span(validating: payload.span).count == payload.count { done += 1 }
                return done
            }
        }
        return Benchmark(
            name: "utf8-\(language)-\(bytes)", title: "check that \(bytes) B of \(language) text are UTF-8", without: "unmask-\(bytes)",
            yardsticks: [yardstick]
        ) { ClientFrames.receiving(ClientFrames(.text, text(bytes))) }
    }

    /// Text with as little repetition as an entry: JSON members around a text.
    private static func entry(_ bytes: Int) -> [UInt8] {
        let head = Array(
            #"{"type":"entry","channel":"inbox","seq":4711,"id":"018f2c5e","kind":"notification","priority":"normal","body":""#.utf8)
        return head + Texts.german(bytes - head.count - 2) + Array(#""}"#.utf8)
    }

    private static func compressed(_ payload: [UInt8]) throws -> [UInt8] {
        guard let deflater = Deflater() else { throw Failure("zlib has no memory") }
        var output: [UInt8] = []
        deflater.compress(payload.span, into: &output)
        output.removeLast(4)
        return output
    }

    private static func inflating(_ size: String, _ bytes: Int) -> Benchmark {
        let raw = Benchmark.Yardstick(name: "zlib alone") {
            let payload = try compressed(entry(bytes))
            guard let inflater = Inflater() else { throw Failure("zlib has no memory") }
            var output: [UInt8] = []
            output.reserveCapacity(4 * bytes)
            return { times in
                var done = 0
                for _ in 0..<times {
                    output.removeAll(keepingCapacity: true)
                    inflater.reset()
                    try inflater.inflate(payload.span, into: &output, limit: 1 << 20)
                    if keep(output) >= bytes - 4 { done += 1 }
                }
                return done
            }
        }
        return Benchmark(
            name: "inflate-\(size)", title: "receive a compressed text of \(bytes) B (inflated, UTF-8 checked)", weight: 4,
            yardsticks: [raw]
        ) {
            let pool = DeflatePool()
            return ClientFrames.receiving(
                ClientFrames(.text, try compressed(entry(bytes)), isCompressed: true),
                deflate: NegotiatedDeflate(DeflateAgreement(), pool: pool))
        }
    }

    private static func deflating(_ size: String, _ bytes: Int) -> Benchmark {
        let raw = Benchmark.Yardstick(name: "zlib alone") {
            let payload = opaque(entry(bytes))
            guard let deflater = Deflater() else { throw Failure("zlib has no memory") }
            var output: [UInt8] = []
            output.reserveCapacity(4 * bytes)
            return { times in
                var done = 0
                for _ in 0..<times {
                    output.removeAll(keepingCapacity: true)
                    deflater.reset()
                    deflater.compress(payload.span, into: &output)
                    if keep(output) > 32 { done += 1 }
                }
                return done
            }
        }
        return Benchmark(
            name: "deflate-\(size)", title: "compress an entry of \(bytes) B into a frame that many share", weight: 10, yardsticks: [raw]
        ) {
            let payload = opaque(entry(bytes))
            let pool = DeflatePool()
            return { times in
                var done = 0
                for _ in 0..<times {
                    guard let deflater = pool.deflater(windowBits: 15) else { return 0 }
                    let frame = FrameEncoder.compressedText(payload.span, using: deflater)
                    if keep(frame) > 32 && frame[0] == 0xC1 { done += 1 }
                }
                return done
            }
        }
    }
}
