public import Zlib

extension FrameEncoder {
    /// A whole text message in one frame, compressed with an empty window. The same bytes may go to every connection that agreed on
    /// `serverNoContextTakeover` and on a window of at least this compressor's size. The frame is plain where compression does not make the
    /// text shorter.
    public static func compressedText(_ payload: Span<UInt8>, using deflater: Deflater) -> [UInt8] {
        deflater.reset()
        var compressed: [UInt8] = []
        MessageDeflation.compress(payload, using: deflater, into: &compressed)
        guard compressed.count < payload.count else { return text(payload) }
        var output: [UInt8] = []
        append(.text, compressed.span, isCompressed: true, into: &output)
        return output
    }
}
