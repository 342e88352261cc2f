package weights

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTorchEqualsSafetensors(t *testing.T) {
	requireSame(t, open(t, shared(t, "golden", "tiny", "clip", "model.safetensors")), open(t, shared(t, "golden", "tiny", "clip", "pytorch_model.bin")))
}

// ramp is the values of testdata/make_torch.py: i/8 - 1.
func ramp(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i)/8 - 1
	}
	return out
}

func TestTorchFixtures(t *testing.T) {
	type tensor struct {
		d      DType
		shape  []int
		values []float32
	}
	r15 := ramp(15)
	state := map[string]tensor{
		"f32": {F32, []int{3, 5}, r15}, "tied": {F32, []int{3, 5}, r15}, "f16": {F16, []int{2, 3}, ramp(6)}, "bf16": {BF16, []int{7}, ramp(7)},
		"f64": {F64, []int{2}, ramp(2)}, "scalar": {F32, []int{}, []float32{2.5}}, "empty": {F32, []int{0, 4}, []float32{}}, "parameter": {F32, []int{2}, ramp(2)},
		"transposed": {F32, []int{5, 3}, []float32{r15[0], r15[5], r15[10], r15[1], r15[6], r15[11], r15[2], r15[7], r15[12], r15[3], r15[8], r15[13], r15[4], r15[9], r15[14]}},
		"slice":      {F32, []int{2, 3}, []float32{ramp(24)[8], ramp(24)[9], ramp(24)[10], ramp(24)[14], ramp(24)[15], ramp(24)[16]}},
		"u8":         {U8, []int{3}, nil}, "bool": {Bool, []int{2}, nil}, "i64": {I64, []int{3}, nil},
	}
	withFP8 := map[string]tensor{"fp8": {F8E4M3, []int{4}, nil}}
	for n, v := range state {
		withFP8[n] = v
	}
	square := tensor{F32, []int{4, 4}, ramp(16)}
	vec := tensor{F32, []int{4}, ramp(4)}
	for file, want := range map[string]map[string]tensor{
		"zip.pth":      withFP8,
		"legacy.pth":   state,
		"legacy_p4.pt": {"w": {F32, []int{3, 4}, ramp(12)}},
		"tensor_p5.pt": {"tensor": {F32, []int{3, 4}, ramp(12)}},
		"script.pt": {
			"input_resolution": {I64, []int{}, nil}, "logit_scale": {F32, []int{}, []float32{2.5}},
			"visual.class_embedding": vec, "visual.conv1.weight": {F16, []int{4, 3, 2, 2}, ramp(48)}, "visual.proj": {F32, []int{4, 2}, ramp(8)},
			"visual.ln_pre.weight": vec, "visual.ln_pre.bias": vec, "visual.blocks.0.weight": square, "visual.blocks.0.bias": vec,
			"visual.blocks.1.weight": square, "visual.blocks.1.bias": vec,
		},
	} {
		t.Run(file, func(t *testing.T) {
			src := open(t, filepath.Join("testdata", file))
			require.Len(t, src.Names(), len(want))
			for name, w := range want {
				got := get(t, src, name)
				require.Equal(t, w.d, got.DType, name)
				require.Equal(t, w.shape, got.Shape, name)
				if w.values != nil {
					require.Equal(t, w.values, f32Of(t, got), name)
				}
			}
			if slices.Contains(src.Names(), "i64") {
				require.Equal(t, int64(1<<40), int64(le.Uint64(get(t, src, "i64").Data[16:])))
				require.Equal(t, []byte{1, 2, 255}, get(t, src, "u8").Data)
				require.Equal(t, []byte{1, 0}, get(t, src, "bool").Data)
			}
			get(t, src, src.Names()[0]).Release()
		})
	}
	family, m := Detect(open(t, "testdata/script.pt"))
	require.Equal(t, FamilyCLIP, family)
	require.Equal(t, OpenAICLIP.Naming, m.Naming)
}

// TestTorchTruncated cuts every fixture at every length: an error, never a panic.
func TestTorchTruncated(t *testing.T) {
	for _, file := range []string{"legacy.pth", "legacy_p4.pt", "zip.pth"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		for n := range data {
			if _, err := parseTorch(file, &mapping{data: data[:n:n]}); err == nil {
				t.Fatalf("%s cut to %d of %d bytes was read", file, n, len(data))
			}
		}
	}
}

// tensorArgs is the pickle of _rebuild_tensor_v2's call on storage "0" of F32
// with the given element count, offset, shape and stride opcodes.
func tensorArgs(elems, offset, shape, stride string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\n" + elems + "tQ" +
		offset + "(" + shape + "t(" + stride + "tI00\nccollections\nOrderedDict\n)RtR"
}

const big62 = "L4611686018427387904L\n"

// goodTensor is a sound pickled tensor of two elements.
func goodTensor() string { return tensorArgs("I2\n", "I0\n", "I2\n", "I1\n") }

func TestTorchRefuses(t *testing.T) {
	deep := strings.Repeat("(", 100_000)
	nested := "\x80\x02" + strings.Repeat("]", 100_000) + strings.Repeat("a", 99_999) + "."
	chain := "\x80\x02}Va\n" + strings.Repeat("}Va\n", 99_999) + goodTensor() + strings.Repeat("s", 100_000) + "."
	circle := "\x80\x02]q\x00h\x00ah\x00a."
	bomb := "\x80\x02]q\x00" // each list holds the one before it ten times
	for i := range 30 {
		bomb += "](" + strings.Repeat("h"+string(rune(i)), 10) + "eq" + string(rune(i+1))
	}
	bomb += "."
	huge := "\x80\x02" + strings.Repeat("}", maxValues+1) + "."
	cases := map[string]struct{ pickle, reason string }{
		"os.system":        {"\x80\x02cos\nsystem\nVecho pwned\n\x85R.", `refers to "os.system"`},
		"builtins.eval":    {"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", `refers to "builtins.eval"`},
		"unused global":    {"\x80\x02cposix\nsystem\n0}.", `refers to "posix.system"`},
		"nested name":      {"\x80\x04\x8c\x05torch\x8c\x10hub.load_state_x\x93.", `refers to "torch.hub.load_state_x"`},
		"torch.load":       {"\x80\x02ctorch\nload\n.", `refers to "torch.load"`},
		"load_from_bytes":  {"\x80\x02ctorch.storage\n_load_from_bytes\n.", "refused"},
		"numpy":            {"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.", "refused"},
		"script class":     {"\x80\x02c__torch__.M\nM\n)\x81.", "refused"},
		"INST":             {"(ios\nsystem\n.", `refers to "os.system"`},
		"INST of allowed":  {"(icollections\nOrderedDict\n.", "instance of collections.OrderedDict"},
		"OBJ":              {"(ccollections\nOrderedDict\no.", "opcode 0x6f"},
		"NEWOBJ_EX":        {"\x80\x04ccollections\nOrderedDict\n)}\x92.", "opcode 0x92"},
		"EXT1":             {"\x80\x02\x82\x01.", "opcode 0x82"},
		"persistent text":  {"P('storage')\n.", "opcode 0x50"},
		"REDUCE a string":  {"\x80\x02Vx\n)R.", "cannot be called"},
		"protocol 6":       {"\x80\x06}.", "protocol 6"},
		"unknown opcode":   {"\xff.", "opcode 0xff"},
		"empty":            {"", "ends early"},
		"no stop":          {"\x80\x02}", "ends early"},
		"underflow":        {"\x80\x020.", "stack underflow"},
		"mark below":       {"\x80\x02](.", "stack underflow"},
		"no mark":          {"\x80\x02t.", "no mark"},
		"empty memo":       {"\x80\x02h\x07.", "memo 7 is empty"},
		"string length":    {"\x80\x02X\xff\xff\xff\xffabc.", "ends early"},
		"string 2^63":      {"\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x80abc.", "ends early"},
		"long integer":     {"\x80\x02\x8b\xff\xff\xff\x7f.", "integer of 2147483647 bytes"},
		"text without end": {"V" + strings.Repeat("a", 5000), "text operand without end"},
		"not UTF-8":        {"\x80\x02U\x01\xff.", "not UTF-8"},
		"bad integer":      {"I12x\n.", "bad integer"},
		"bad float":        {"Fx\n.", "bad float"},
		"append to dict":   {"}Na.", "not a list"},
		"set in list":      {"]NNs.", "not a dictionary"},
		"odd items":        {"}(Nu.", "not a dictionary"},
		"state of list":    {"]Nb.", "state for something"},

		"100000 marks":      {deep, "ends early"},
		"nested 100000":     {nested, "nested too deeply"},
		"dicts 100000 deep": {chain, "nested too deeply"},
		"circle":            {circle, "nested too deeply"},
		"memo bomb":         {bomb, "nested too deeply or too large"},
		"a million values":  {huge, "more than 1048576 values"},

		"storage 2^62":        {tensorArgs(big62, "I0\n", "I2\n", "I1\n") + ".", "claims 4611686018427387904 elements"},
		"storage 2^61":        {tensorArgs("L2305843009213693952L\n", "I0\n", "I2\n", "I1\n") + ".", "claims 2305843009213693952 elements"},
		"storage 2^80":        {tensorArgs("L1208925819614629174706176L\n", "I0\n", "I2\n", "I1\n") + ".", "size 1208925819614629174706176 is out of range"},
		"storage negative":    {tensorArgs("I-1\n", "I0\n", "I2\n", "I1\n") + ".", "size -1 is negative"},
		"storage too small":   {tensorArgs("I3\n", "I0\n", "I2\n", "I1\n") + ".", `storage "0" claims 3 elements of F32, but has 8 bytes`},
		"size not a number":   {tensorArgs("N", "I0\n", "I2\n", "I1\n") + ".", "not an integer"},
		"shape negative":      {tensorArgs("I2\n", "I0\n", "I-2\n", "I1\n") + ".", "size -2 is negative"},
		"shape 2^62":          {tensorArgs("I2\n", "I0\n", big62, "I1\n") + ".", "larger than its storage"},
		"shape product wraps": {tensorArgs("I2\n", "I0\n", big62+"I8\n", "I1\nI1\n") + ".", "larger than its storage"},
		"stride 2^62":         {tensorArgs("I2\n", "I0\n", "I2\n", big62) + ".", "reaches outside"},
		"stride negative":     {tensorArgs("I2\n", "I0\n", "I2\n", "I-1\n") + ".", "size -1 is negative"},
		"offset outside":      {tensorArgs("I2\n", "I1\n", "I2\n", "I1\n") + ".", "reaches outside"},
		"offset 2^62":         {tensorArgs("I2\n", big62, "I1\n", "I1\n") + ".", "reaches outside"},
		"expanded":            {tensorArgs("I2\n", "I0\n", "I1000000000\n", "I0\n") + ".", "expanded tensor"},
		"ranks differ":        {tensorArgs("I2\n", "I0\n", "I2\n", "I1\nI1\n") + ".", "1 sizes and 2 strides"},
		"rank 33":             {tensorArgs("I2\n", "I0\n", strings.Repeat("I1\n", 33), "I1\n") + ".", "not a short tuple"},
		"listed twice":        {"}(Va\n" + goodTensor() + "Va\n" + goodTensor() + "u.", `tensor "a" is listed twice`},
		"copies":              {tensorArgs("I2\n", "I0\n", "I2\n", "I0\n") + "q\x000(" + strings.Repeat("h\x00", 5000) + "l.", "larger than the file"},
		"missing storage":     {strings.Replace(goodTensor(), "V0\n", "V1\n", 1) + ".", `"archive/data/1" is missing`},
		"storage path":        {strings.Replace(goodTensor(), "V0\n", "V../../x\n", 1) + ".", "is missing"},
		"odd persistent id":   {"(Vmodule\ntQ.", "not a storage's"},
		"storage view":        {"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI2\n(ttQ.", "view of another"},
		"no storage":          {"ctorch._utils\n_rebuild_tensor_v2\n(NI0\n)))NtR.", "without a storage"},
		"few arguments":       {"ctorch._utils\n_rebuild_tensor_v2\n(NtR.", "tensor of 1 arguments"},
		"no dtype":            {strings.Replace(strings.Replace(goodTensor(), "_v2", "_v3", 1), ")RtR", ")RNtR", 1) + ".", "without a dtype"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "x.pt", zipOf(zipEnt{"archive/data.pkl", []byte(c.pickle)}, zipEnt{"archive/data/0", f32Bytes(1, 2)}))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(path)
			runtime.ReadMemStats(&after)
			requireFormatError(t, err, path, c.reason)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<20), "bytes allocated")
		})
	}
}

func TestTorchAllows(t *testing.T) {
	read := func(pickle string, more ...zipEnt) (Source, error) {
		ents := append([]zipEnt{{"a/data.pkl", []byte(pickle)}, {"a/data/0", f32Bytes(1, 2)}}, more...)
		return parseTorch("x.pt", &mapping{data: zipOf(ents...)})
	}
	for what, pickle := range map[string]string{
		"dict":         "}Vw\n" + goodTensor() + "s.",
		"marked dict":  "(Vw\n" + goodTensor() + "d.",
		"ordered dict": "ccollections\nOrderedDict\n(((Vw\n" + goodTensor() + "tltR}V_metadata\nNsb.",
		"python 2":     "ccollections\nOrderedDict\n(((lp0\nVw\na" + goodTensor() + "altR.",
		"other values": "}(Vf\nF1.5\nVl\nL12L\nVi\nI01\nVs\nS'x'\nVn\nNVd\n}Vw\n" + goodTensor() + "Vt\nctorch\nfloat16\nVset\nc__builtin__\nset\n(lp3\n\x85Ru.",
		"set items":    "}(Vw\n" + goodTensor() + "Vs\n\x8f(K\x01K\x02\x90Vfrozen\n(K\x01\x91Vb\nC\x02abu.",
		"protocol 5":   "\x80\x05\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01w\x94" + goodTensor() + "s.",
		"popped":       "}(N1N0(0Vw\n" + goodTensor() + "s.",
		"wrapped":      "}(Vepoch\nI3\nVstate_dict\n}Vw\n" + goodTensor() + "su.",
	} {
		src, err := read(pickle)
		require.NoError(t, err, what)
		require.Equal(t, []string{"w"}, src.Names(), what)
		require.Equal(t, []float32{1, 2}, f32Of(t, get(t, src, "w")), what)
	}
	src, err := read("}(Vlist\n(" + goodTensor() + goodTensor() + "lI7\n}Vw\n" + goodTensor() + "su.")
	require.NoError(t, err)
	require.Equal(t, []string{"7.w", "list.0", "list.1"}, src.Names())

	script := "c__torch__.net\nNet\n)\x81}(Vfc\nc__torch__.torch.nn\nLinear\n)\x81}(Vweight\n" + goodTensor() + "Vdims\nctorch.jit._pickle\nbuild_intlist\n(I1\nl\x85Rusbub."
	_, err = read(script)
	require.ErrorContains(t, err, `refers to "__torch__.net.Net"`)
	script = "c__torch__.net\nNet\n)\x81}(Vfc\nc__torch__.torch.nn\nLinear\n)\x81}(Vweight\n" + goodTensor() + "Vdims\nctorch.jit._pickle\nbuild_intlist\n(I1\nl\x85RubVtraining\nI01\nub."
	src, err = read(script, zipEnt{"a/constants.pkl", []byte("\x80\x02).")})
	require.NoError(t, err)
	require.Equal(t, []string{"fc.weight"}, src.Names())
	_, err = read("cos\nsystem\n.", zipEnt{"a/constants.pkl", nil})
	require.ErrorContains(t, err, `refers to "os.system"`)
}

func TestPickleNumbers(t *testing.T) {
	for pickle, want := range map[string]any{
		"J\xfe\xff\xff\xff.": int64(-2), "K\xff.": int64(255), "M\x00\x01.": int64(256), "\x8a\x00.": int64(0), "\x8a\x01\xff.": int64(-1),
		"\x8a\x02\x00\x80.": int64(-32768), "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.": int64(math.MaxInt64), "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.": pyBigInt("9223372036854775808"),
		"\x8b\x01\x00\x00\x00\x05.": int64(5), "L-7L\n.": int64(-7), "I00\n.": false, "\x88.": true, "G\x3f\xf8\x00\x00\x00\x00\x00\x00.": 1.5, "F-2.5e3\n.": -2500.0,
		"T\x02\x00\x00\x00ab.": "ab", "X\x02\x00\x00\x00\xc3\xa9.": "é", "V\xc3\xa9\n.": "é",
	} {
		v, err := (&unpickler{data: []byte(pickle)}).run()
		require.NoError(t, err, "%q", pickle)
		require.Equal(t, want, v, "%q", pickle)
	}
}
