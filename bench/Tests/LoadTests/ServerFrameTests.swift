import Testing
import WSProtocol

@testable import Load

@Suite struct ServerFrameTests {
    private func scan(_ bytes: [UInt8]) -> ServerFrame.Scan { ServerFrame.scan(bytes.span, at: 0) }

    @Test(arguments: [0, 1, 125, 126, 127, 65_534, 65_535, 65_536, 70_000])
    func framesOfAnyLengthAreFoundComplete(bytes: Int) {
        let frame = FrameEncoder.text([UInt8](repeating: 120, count: bytes))
        let all = frame + [0x81]
        let head = frame.count - bytes
        #expect(
            scan(all)
                == .frame(ServerFrame(isFinal: true, isCompressed: false, opcode: 1, payload: head..<frame.count)))
    }

    @Test(arguments: [0, 5, 200, 70_000])
    func aFrameCutAnywhereIsIncomplete(bytes: Int) {
        let frame = FrameEncoder.text([UInt8](repeating: 120, count: bytes))
        for end in Set([0, 1, 2, 3, 4, 9, frame.count / 2, frame.count - 1]) where end < frame.count {
            #expect(scan(Array(frame[0..<end])) == .incomplete)
        }
    }

    @Test func maskedFramesAndUnsupportedLengthsAreRefused() {
        #expect(scan([0x81, 0x80, 0, 0, 0, 0]) == .malformed)
        #expect(scan([0x81, 127, 0x7F, 0, 0, 0, 0, 0, 0, 0]) == .malformed)
    }
}
