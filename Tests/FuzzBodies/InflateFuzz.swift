import Zlib

/// Bytes as DEFLATE, bounded whatever they claim to become; and as a plain message, which must survive the way there and back.
enum InflateFuzz {
    static func run(_ input: [UInt8]) {
        guard let choice = input.first, let inflater = Inflater() else { return }
        let bytes = Array(input.dropFirst())
        let limit = Int(choice) * 16

        var output: [UInt8] = [1, 2, 3]
        do throws(InflateFailure) {
            try inflater.inflate(bytes.span, into: &output, limit: limit)
            // Again after a reset, the result is the same; with one byte less of room, it is too long.
            var again: [UInt8] = []
            inflater.reset()
            try inflater.inflate(bytes.span, into: &again, limit: limit)
            precondition(again[...] == output[3...])
            if again.count > 0 {
                inflater.reset()
                var less: [UInt8] = []
                let refused: InflateFailure? =
                    switch Result(catching: { () throws(InflateFailure) in
                        try inflater.inflate(bytes.span, into: &less, limit: again.count - 1)
                    }) {
                    case .success: nil
                    case .failure(let failure): failure
                    }
                precondition(refused == .tooLong && less.count == again.count - 1)
            }
        } catch {
            precondition(error != .outOfMemory)
        }
        precondition(output.prefix(3) == [1, 2, 3] && output.count <= limit + 3)

        guard let deflater = Deflater(windowBits: 9 + Int(choice) % 7) else { return }
        inflater.reset()
        // Twice with the window kept: the second may refer to the first.
        for _ in 0..<2 where !bytes.isEmpty {
            var compressed: [UInt8] = []
            deflater.compress(bytes.span, into: &compressed)
            precondition(compressed.suffix(4) == [0, 0, 0xFF, 0xFF])
            compressed.removeLast(4)
            var plain: [UInt8] = []
            do throws(InflateFailure) {
                try inflater.inflate(compressed.span, into: &plain, limit: bytes.count)
            } catch {
                preconditionFailure("what was compressed cannot be inflated: \(error)")
            }
            precondition(plain == bytes)
        }
    }
}
