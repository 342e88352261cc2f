package weights

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits on a pickle. Each opcode costs at least a byte, so the length bounds
// the work; the value count bounds the memory (about 100 bytes a value at worst).
const (
	maxPickle = 16 << 20 // bytes; the ViT-B/32 archive has 0.2 MB
	maxValues = 1 << 20  // values pushed; a tensor takes about 30
	maxLine   = 4096     // bytes of a text operand of protocol 0
	maxLong   = 32       // bytes of an integer
)

// Values of the unpickler beside nil, bool, int64, float64, string and []byte.
type (
	pyTuple []any
	pyList  struct{ items []any } // also a set
	pyDict  struct{ keys, vals []any }
	// pyObject is an instance of a TorchScript class: its attributes, no behaviour.
	pyObject struct {
		class string
		state any
	}
	pyClass  string // a TorchScript class
	pyBigInt string // an integer beyond int64, in decimal
)

// unpickler is a restricted machine for Python's pickle: it builds plain values
// and what torchGlobals allows. Nothing is imported or executed.
// Source: CPython Lib/pickletools.py (protocols 0 to 5).
type unpickler struct {
	data    []byte
	pos     int
	script  bool // a TorchScript archive: allow __torch__ classes
	persist func(id any) (any, error)

	stack  []any
	marks  []int
	memo   map[uint64]any
	pushed int
	err    error
}

// run reads one pickle from pos on and leaves pos behind it.
func (u *unpickler) run() (any, error) {
	u.memo = map[uint64]any{}
	if len(u.data)-u.pos > maxPickle {
		u.data = u.data[:u.pos+maxPickle]
	}
	for u.err == nil {
		at := u.pos
		op := u.u8()
		if u.err == nil && op == '.' {
			v := u.pop()
			return v, u.err
		}
		if u.err == nil && !u.scalar(op) && !u.container(op) && !u.special(op) && u.err == nil {
			u.fail("opcode 0x%02x at byte %d is not supported", op, at)
		}
	}
	return nil, u.err
}

func (u *unpickler) fail(format string, args ...any) {
	if u.err == nil {
		u.err = fmt.Errorf("pickle: "+format, args...)
	}
}

func (u *unpickler) read(n uint64) []byte {
	if u.err != nil {
		return nil
	}
	if n > uint64(len(u.data)-u.pos) {
		u.fail("ends early, or exceeds %d bytes", maxPickle)
		return nil
	}
	b := u.data[u.pos : u.pos+int(n)]
	u.pos += int(n)
	return b
}

func (u *unpickler) u8() uint64 {
	if b := u.read(1); b != nil {
		return uint64(b[0])
	}
	return 0
}

func (u *unpickler) u16() uint64 {
	if b := u.read(2); b != nil {
		return uint64(le.Uint16(b))
	}
	return 0
}

func (u *unpickler) u32() uint64 {
	if b := u.read(4); b != nil {
		return uint64(le.Uint32(b))
	}
	return 0
}

func (u *unpickler) u64() uint64 {
	if b := u.read(8); b != nil {
		return le.Uint64(b)
	}
	return 0
}

// line reads a text operand.
func (u *unpickler) line() string {
	if u.err != nil {
		return ""
	}
	rest := u.data[u.pos:]
	i := bytes.IndexByte(rest[:min(len(rest), maxLine)], '\n')
	if i < 0 {
		u.fail("text operand without end")
		return ""
	}
	u.pos += i + 1
	return string(rest[:i])
}

func (u *unpickler) push(v any) {
	if u.pushed++; u.pushed > maxValues {
		u.fail("more than %d values", maxValues)
		return
	}
	u.stack = append(u.stack, v)
}

// floor is the height pops must not go below.
func (u *unpickler) floor() int {
	if n := len(u.marks); n > 0 {
		return u.marks[n-1]
	}
	return 0
}

func (u *unpickler) pop() any {
	if len(u.stack) <= u.floor() {
		u.fail("stack underflow")
		return nil
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v
}

// top returns the last value and leaves it.
func (u *unpickler) top() any {
	v := u.pop()
	if u.err == nil {
		u.stack = append(u.stack, v)
	}
	return v
}

// popMark takes the values above the last mark.
func (u *unpickler) popMark() []any {
	if len(u.marks) == 0 {
		u.fail("no mark")
		return nil
	}
	at := u.floor()
	u.marks = u.marks[:len(u.marks)-1]
	items := append([]any(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return items
}

// popN takes the last n values.
func (u *unpickler) popN(n int) pyTuple {
	t := make(pyTuple, n)
	for i := n - 1; i >= 0; i-- {
		t[i] = u.pop()
	}
	return t
}

// scalar handles the opcodes that push one plain value.
func (u *unpickler) scalar(op uint64) bool {
	switch op {
	case 'N':
		u.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		u.push(op == 0x88)
	case 'J': // BININT
		u.push(int64(int32(u.u32())))
	case 'K': // BININT1
		u.push(int64(u.u8()))
	case 'M': // BININT2
		u.push(int64(u.u16()))
	case 0x8a: // LONG1
		u.push(u.long(u.u8()))
	case 0x8b: // LONG4
		u.push(u.long(u.u32()))
	case 'I', 'L': // INT, LONG as text; I00 and I01 are booleans
		u.push(u.decimal(u.line()))
	case 'F': // FLOAT as text
		f, err := strconv.ParseFloat(u.line(), 64)
		if err != nil {
			u.fail("bad float")
		}
		u.push(f)
	case 'G': // BINFLOAT, big endian
		if b := u.read(8); b != nil {
			var v uint64
			for _, c := range b {
				v = v<<8 | uint64(c)
			}
			u.push(math.Float64frombits(v))
		}
	case 'S': // STRING: a Python literal
		s := u.line()
		if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' || strings.ContainsRune(s, '\\') {
			u.fail("string literal with escapes")
		} else {
			u.push(s[1 : len(s)-1])
		}
	case 'V': // UNICODE: raw-unicode-escape
		s := u.line()
		if strings.ContainsRune(s, '\\') {
			u.fail("unicode literal with escapes")
		}
		u.push(s)
	case 'U', 0x8c: // SHORT_BINSTRING, SHORT_BINUNICODE
		u.text(u.u8())
	case 'T', 'X': // BINSTRING, BINUNICODE
		u.text(u.u32())
	case 0x8d: // BINUNICODE8
		u.text(u.u64())
	case 'C': // SHORT_BINBYTES
		u.push(bytes.Clone(u.read(u.u8())))
	case 'B': // BINBYTES
		u.push(bytes.Clone(u.read(u.u32())))
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		u.push(bytes.Clone(u.read(u.u64())))
	default:
		return false
	}
	return true
}

func (u *unpickler) text(n uint64) {
	b := u.read(n)
	if !utf8.Valid(b) {
		u.fail("string is not UTF-8")
	}
	u.push(string(b))
}

// long decodes a little-endian two's complement integer.
func (u *unpickler) long(n uint64) any {
	if n > maxLong {
		u.fail("integer of %d bytes", n)
		return nil
	}
	b := u.read(n)
	v := new(big.Int)
	for i := len(b) - 1; i >= 0; i-- {
		v.Lsh(v, 8).Or(v, big.NewInt(int64(b[i])))
	}
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if v.IsInt64() {
		return v.Int64()
	}
	return pyBigInt(v.String())
}

func (u *unpickler) decimal(s string) any {
	switch s {
	case "00":
		return false
	case "01":
		return true
	}
	s = strings.TrimSuffix(s, "L")
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v
	}
	if v, ok := new(big.Int).SetString(s, 10); ok && len(s) <= 2*maxLong {
		return pyBigInt(v.String())
	}
	u.fail("bad integer")
	return nil
}
