package weights

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const one = `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`

// badImages are the faults of a safetensors file and what must be said.
func badImages() map[string]struct {
	data   []byte
	reason string
} {
	length := func(n uint64, rest string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), rest...)
	}
	entry := func(s string) []byte { return image(`{"a":`+s+`}`, make([]byte, 8)) }
	two := func(a, b string) []byte {
		return image(fmt.Sprintf(`{"a":{"dtype":"U8","shape":[4],"data_offsets":%s},"b":{"dtype":"U8","shape":[4],"data_offsets":%s}}`, a, b), make([]byte, 8))
	}
	many := strings.Repeat(`"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`, 1_000_000)
	sly := strings.Repeat(`"a":{"dtype":"U8","shape":[0],"data_offset\u0073":[0,0]},`, MaxTensors+1)
	return map[string]struct {
		data   []byte
		reason string
	}{
		"0 bytes":            {nil, "0 bytes is too short"},
		"7 bytes":            {make([]byte, 7), "7 bytes is too short"},
		"8 zero bytes":       {make([]byte, 8), "does not begin with '{'"},
		"header 2^63":        {length(1<<63, "{}"), "header length 9223372036854775808 exceeds"},
		"header over 100 MB": {length(MaxHeader+1, "{}"), "exceeds 100000000"},
		"header over file":   {length(100, "{}"), "only 2 bytes follow"},
		"not UTF-8":          {image("{\"\xff\":1}", nil), "not UTF-8"},
		"not JSON":           {image("{hello}", nil), "expected a string"},
		"unterminated":       {image(`{"a`, nil), "string without end"},
		"begins with space":  {image(" {}", nil), "does not begin with '{'"},
		"text after":         {image("{} x", nil), "text after the closing brace"},
		"control character":  {image("{\"a\nb\":1}", nil), "control character"},
		"bad escape":         {image(`{"\q":1}`, nil), "bad escape"},
		"git lfs pointer":    {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "Git LFS pointer"},
		"html page":          {[]byte("<!DOCTYPE html><html>not found</html>"), "not a safetensors file"},

		"overlap":           {two("[0,4]", "[2,6]"), `tensor "b": overlaps`},
		"same place":        {two("[0,4]", "[0,4]"), "overlaps"},
		"hole":              {two("[0,4]", "[5,9]"), "ends at byte 9 of 8"},
		"hole inside":       {image(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}}`, make([]byte, 8)), "hole of 6 bytes"},
		"bytes left over":   {image(one, make([]byte, 9)), "1 bytes after the last tensor"},
		"truncated data":    {image(one, make([]byte, 7)), "ends at byte 8 of 7"},
		"runs backwards":    {entry(`{"dtype":"F32","shape":[2],"data_offsets":[8,0]}`), "run backwards"},
		"product overflow":  {entry(`{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}`), "overflows"},
		"product wraps":     {entry(`{"dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]}`), "overflows"},
		"dimension 2^64":    {entry(`{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}`), "exceeds 64 bits"},
		"dimension 2^63":    {entry(`{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}`), "too large"},
		"offset wraps":      {entry(`{"dtype":"U8","shape":[8],"data_offsets":[18446744073709551612,4]}`), "run backwards"},
		"negative":          {entry(`{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}`), "unsigned integer"},
		"fraction":          {entry(`{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}`), "expected ','"},
		"leading zero":      {entry(`{"dtype":"F32","shape":[02],"data_offsets":[0,8]}`), "unsigned integer"},
		"size mismatch":     {entry(`{"dtype":"F32","shape":[3],"data_offsets":[0,8]}`), "hold 8 bytes, but F32 of shape [3] needs 12"},
		"unknown dtype":     {entry(`{"dtype":"F4","shape":[2],"data_offsets":[0,8]}`), `tensor "a": unknown dtype "F4"`},
		"three offsets":     {entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}`), "more than 2 numbers"},
		"missing dtype":     {entry(`{"shape":[2],"data_offsets":[0,8]}`), "needs dtype"},
		"dtype twice":       {entry(`{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}`), `"dtype" is given twice`},
		"unknown key":       {entry(`{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}`), `unknown key "x"`},
		"rank 33":           {entry(`{"dtype":"F32","shape":[1` + strings.Repeat(",1", 32) + `],"data_offsets":[0,8]}`), "more than 32"},
		"deep nesting":      {entry(strings.Repeat("[", 1<<20)), "expected '{'"},
		"duplicate":         {image(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, make([]byte, 8)), `tensor "a": listed twice`},
		"duplicate escaped": {image(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, make([]byte, 8)), "listed twice"},
		"metadata twice":    {image(`{"__metadata__":{},"__metadata__":{}}`, nil), "listed twice"},
		"metadata key":      {image(`{"__metadata__":{"a":"1","a":"2"}}`, nil), `metadata key "a" is listed twice`},
		"metadata number":   {image(`{"__metadata__":{"a":1}}`, nil), "expected a string"},
		"long name":         {image(`{"`+strings.Repeat("n", MaxName+1)+`":1}`, nil), "exceeds 1024"},
		"a million tensors": {image("{"+many+`"b":0}`, nil), "header lists 1000000 tensors; the limit is 20000"},
		"hidden tensors":    {image("{"+sly+`"b":0}`, nil), "more than 20000 tensors"},
		"name of metadata":  {image(`{"__metadata__":[]}`, nil), "expected '{'"},
	}
}

func TestBadSafetensors(t *testing.T) {
	for name, c := range badImages() {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "model.safetensors", c.data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := OpenSafetensors(path)
			runtime.ReadMemStats(&after)
			requireFormatError(t, err, path, c.reason)
			limit := uint64(1 << 20)
			if name == "hidden tensors" {
				limit = 16 << 20 // listed entry by entry up to MaxTensors
			}
			require.Less(t, after.TotalAlloc-before.TotalAlloc, limit, "bytes allocated")
			_, err = FromBytes("bundle", c.data)
			requireFormatError(t, err, "bundle", c.reason)
		})
	}
}

func TestSafetensorsAccepts(t *testing.T) {
	header := `{ "__metadata__" : {"format":"pt","q\u0075ote":"\"x\""},
		"z":{"shape":[],"data_offsets":[4,8],"dtype":"F32"}, "empty":{"dtype":"F16","shape":[0,3],"data_offsets":[4,4]},
		"é":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]} }   `
	src, err := FromBytes("x", image(header, f32Bytes(1, 2)))
	require.NoError(t, err)
	require.Equal(t, []string{"empty", "z", "é"}, src.Names())
	require.Equal(t, map[string]string{"format": "pt", "quote": `"x"`}, Metadata(src))
	z := get(t, src, "z")
	require.Equal(t, Info{Name: "z", DType: F32, Shape: []int{}, Data: f32Bytes(2)}, Info{z.Name, z.DType, z.Shape, z.Data, nil})
	require.Equal(t, 1, z.Elems())
	require.Equal(t, 0, get(t, src, "empty").Elems())
	z.Release() // nothing to release in memory
	_, err = src.Get("nope")
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, `x: "nope"`)

	empty, err := FromBytes("x", image("{}", nil))
	require.NoError(t, err)
	require.Empty(t, empty.Names())
}

func TestWriteRoundTrip(t *testing.T) {
	var list []Info
	for d := range DType(len(dtypes)) {
		data := make([]byte, 6*d.Size())
		for i := range data {
			data[i] = byte(i*7 + int(d))
		}
		list = append(list, Info{Name: "t." + d.String(), DType: d, Shape: []int{2, 3}, Data: data})
	}
	list = append(list, Info{Name: "scalar", Data: f32Bytes(3)}, Info{Name: "empty", DType: I64, Shape: []int{0}},
		Info{Name: `quote" and <é>`, DType: U8, Shape: []int{1}, Data: []byte{9}})
	meta := map[string]string{"format": "pt", "note": "a\nb"}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, Write(path, list, meta))
	src := open(t, path)
	require.Equal(t, meta, Metadata(src))
	require.Len(t, src.Names(), len(list))
	for _, want := range list {
		got := get(t, src, want.Name)
		require.Equal(t, want.DType, got.DType)
		require.Equal(t, append([]int{}, want.Shape...), got.Shape)
		require.Equal(t, len(want.Data), len(got.Data))
		require.Equal(t, string(want.Data), string(got.Data))
	}
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Zero(t, le.Uint64(first)%8, "header length keeps the data aligned")
	list[0], list[5] = list[5], list[0]
	require.NoError(t, Write(path, list, meta))
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, first, second, "the order given does not matter")
}

func TestWriteRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, Write(path, nil, nil))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	ok := Info{Name: "a", Shape: []int{1}, Data: f32Bytes(1)}
	for reason, list := range map[string][]Info{
		"listed twice":      {ok, ok},
		"not a usable":      {{Name: "", Shape: []int{1}, Data: f32Bytes(1)}},
		"do not fit":        {{Name: "b", Shape: []int{2}, Data: f32Bytes(1)}},
		"undefined dtype":   {{Name: "b", DType: 99}},
		"of shape [-1]":     {{Name: "b", Shape: []int{-1}}},
		`"__metadata__"`:    {{Name: "__metadata__", Shape: []int{1}, Data: f32Bytes(1)}},
		"usable tensor nam": {{Name: "\xff", Shape: []int{1}, Data: f32Bytes(1)}},
	} {
		requireFormatError(t, Write(path, list, nil), path, reason)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "a refused write leaves the file as it was")
	require.Error(t, Write(filepath.Join(path, "x", "y"), nil, nil))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file stays")
}

// TestHalf compares the conversion with PyTorch's own F16 and BF16 checkpoints.
func TestHalf(t *testing.T) {
	full := open(t, shared(t, "golden", "tiny", "clip", "model.safetensors"))
	for file, d := range map[string]DType{"model.fp16.safetensors": F16, "model.bf16.safetensors": BF16} {
		half := open(t, shared(t, "golden", "tiny", "clip", file))
		require.Equal(t, full.Names(), half.Names())
		checked := 0
		for _, n := range half.Names() {
			want := get(t, half, n)
			if want.DType != d {
				continue // some files keep a scalar in F32
			}
			got, err := Convert(get(t, full, n), d)
			require.NoError(t, err)
			require.Equal(t, want.Data, got.Data, n)
			checked++
		}
		require.Greater(t, checked, 70)
	}
}

// TestHalfExhaustive checks every F16 and BF16 value, their midpoints and specials.
func TestHalfExhaustive(t *testing.T) {
	for h := range 1 << 16 {
		h := uint16(h)
		x := f16ToF32(h)
		if x != x {
			require.NotZero(t, f32ToF16(x)&0x3ff, "%04x", h)
			continue
		}
		require.Equal(t, h, f32ToF16(x), "%04x", h)
		if h&0x7fff < 0x7c00 {
			// Halfway to the next value goes to the even one; beyond the last
			// finite value (65504) the next step is infinity, at 65536.
			next := f16ToF32(h + 1)
			if h&0x7fff == 0x7bff {
				next = x / 65504 * 65536
			}
			require.Equal(t, h+h&1, f32ToF16((x+next)/2), "%04x", h)
		}
	}
	for x, want := range map[float32]uint16{1e-9: 0, -1e-9: 0x8000, 1e9: 0x7c00, 65519.996: 0x7bff} {
		require.Equal(t, want, f32ToF16(x))
	}
	require.Equal(t, uint16(0x3f80), f32ToBF16(1.00390625), "tie to even")
	require.Equal(t, uint16(0x3f82), f32ToBF16(1.01171875), "tie to even")
	wide, err := Convert(Info{Name: "w", Shape: []int{2}, Data: f32Bytes(1, -2.5)}, F64)
	require.NoError(t, err)
	back, err := Convert(wide, F32)
	require.NoError(t, err)
	require.Equal(t, f32Bytes(1, -2.5), back.Data)
	_, err = Convert(Info{Name: "i", DType: I64}, F32)
	require.ErrorContains(t, err, "cannot convert I64 to F32")
}
