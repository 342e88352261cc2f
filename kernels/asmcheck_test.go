package kernels

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests read the assembly as text and hold it to what Go's vet doesn't
// see: an instruction that the level's CPU guard doesn't promise faults on a
// smaller machine; one legacy SSE instruction among AVX ones with dirty upper
// halves costs some 100 ns each; a missing VZEROUPPER moves that cost into the
// caller; R14 is the runtime's g and BP its frame pointer.

var (
	vectorReg = regexp.MustCompile(`^[XYZ](\d+)$`)
	wideReg   = regexp.MustCompile(`^[YZ]\d+$`)
	maskReg   = regexp.MustCompile(`^K[0-7]$`)
	// FMA3's multiply-adds, in all orders and widths.
	fma = regexp.MustCompile(`^VFN?M(ADD|SUB)(132|213|231)[PS][SD]$`)
	// Saves and restores a register in the caller's or the pushed frame.
	stackUse = regexp.MustCompile(`^(PUSH|POP)`)
)

// avx2Ops are instructions of AVX, AVX2 and F16C (x86-64-v3) in their VEX
// form. Source: Intel SDM volume 2; add what a kernel needs.
var avx2Ops = set(`VADDPS VADDSS VADDPD VADDSD VSUBPS VSUBSS VSUBPD VSUBSD VMULPS VMULSS VMULPD VMULSD VDIVPS VDIVSS VDIVPD VDIVSD
	VMAXPS VMAXSS VMINPS VMINSS VSQRTPS VSQRTSS VSQRTSD VRCPPS VRSQRTPS VHADDPS VANDPS VANDNPS VORPS VXORPS VCMPPS VCMPSS VUCOMISS
	VMOVUPS VMOVAPS VMOVSS VMOVSD VMOVD VMOVQ VMOVDQU VMOVDQA VMOVNTPS VMOVNTDQ VMASKMOVPS VPMASKMOVD VMOVMSKPS VMOVHLPS VMOVLHPS VMOVSHDUP VMOVSLDUP
	VBROADCASTSS VBROADCASTSD VBROADCASTF128 VBROADCASTI128 VEXTRACTF128 VEXTRACTI128 VINSERTF128 VINSERTI128 VINSERTPS VEXTRACTPS
	VPERM2F128 VPERM2I128 VPERMILPS VPERMPS VPERMD VPERMQ VPERMPD VSHUFPS VSHUFPD VUNPCKLPS VUNPCKHPS VUNPCKLPD VUNPCKHPD VBLENDPS VBLENDVPS VPBLENDD VPBLENDVB
	VGATHERDPS VGATHERQPS VTESTPS VPTEST VROUNDPS VROUNDSS
	VCVTPH2PS VCVTPS2PH VCVTPS2DQ VCVTTPS2DQ VCVTDQ2PS VCVTPS2PD VCVTPD2PS VCVTSS2SD VCVTSD2SS VCVTSI2SSL VCVTSI2SSQ
	VPADDB VPADDW VPADDD VPADDQ VPSUBB VPSUBW VPSUBD VPSUBQ VPMULLW VPMULLD VPMULHW VPMADDWD VPMADDUBSW VPSLLD VPSRLD VPSRAD VPSLLQ VPSRLQ VPSLLW VPSRLW VPSRAW
	VPSLLVD VPSRLVD VPSRAVD VPAND VPANDN VPOR VPXOR VPCMPEQD VPCMPEQB VPCMPGTD VPMAXSD VPMINSD VPMAXSW VPMINSW VPMAXUB VPMINUB VPMAXUD VPMINUD VPABSD
	VPMOVZXBW VPMOVZXBD VPMOVZXWD VPMOVZXDQ VPMOVSXBW VPMOVSXBD VPMOVSXWD VPMOVMSKB VPACKUSDW VPACKSSDW VPACKUSWB VPACKSSWB VPUNPCKLBW VPUNPCKHBW
	VPUNPCKLWD VPUNPCKHWD VPUNPCKLDQ VPUNPCKHDQ VPUNPCKLQDQ VPUNPCKHQDQ VPSHUFB VPSHUFD VPALIGNR VPBROADCASTB VPBROADCASTW VPBROADCASTD VPBROADCASTQ
	VPEXTRW VPEXTRD VPEXTRQ VPINSRW VPINSRD VPINSRQ VZEROUPPER VZEROALL`)

// avx512Ops are what F, VL, BW and DQ add (x86-64-v4), vectors and masks, and
// BMI2, which every CPU with AVX-512 has.
var avx512Ops = set(`VMOVDQU8 VMOVDQU16 VMOVDQU32 VMOVDQU64 VMOVDQA32 VMOVDQA64 VPANDD VPANDQ VPANDND VPANDNQ VPORD VPORQ VPXORD VPXORQ VPTERNLOGD VPTERNLOGQ
	VBLENDMPS VBLENDMPD VPBLENDMD VPCMPD VPCMPUD VPCMPB VPCMPUB VPCMPW VPTESTMD VPTESTNMD VCOMPRESSPS VEXPANDPS VPERMT2PS VPERMI2PS VPERMT2D VPERMI2D VPERMW VPERMT2W
	VRNDSCALEPS VRNDSCALESS VSCALEFPS VSCALEFSS VGETEXPPS VGETMANTPS VRCP14PS VRCP14SS VRSQRT14PS VREDUCEPS VRANGEPS VFIXUPIMMPS VFPCLASSPS
	VEXTRACTF32X4 VEXTRACTF32X8 VEXTRACTF64X2 VEXTRACTF64X4 VEXTRACTI32X4 VEXTRACTI32X8 VEXTRACTI64X2 VEXTRACTI64X4
	VINSERTF32X4 VINSERTF32X8 VINSERTF64X2 VINSERTF64X4 VINSERTI32X4 VINSERTI64X4 VBROADCASTF32X2 VBROADCASTF32X4 VBROADCASTF32X8 VBROADCASTF64X2 VBROADCASTF64X4
	VBROADCASTI32X4 VBROADCASTI64X4 VSHUFF32X4 VSHUFF64X2 VSHUFI32X4 VSHUFI64X2 VPMOVDW VPMOVDB VPMOVWB VPMOVUSDB VPMOVSDB VPMOVSDW VPMOVUSDW VPMOVUSWB
	VPMOVD2M VPMOVM2D VPMOVB2M VPMOVM2B VPSRAQ VPMAXSQ VPMINSQ VPMULLQ VPSLLVW VPSRLVW VPRORD VPROLD VALIGND VALIGNQ VDBPSADBW VSCATTERDPS VCVTUDQ2PS VCVTPS2UDQ VCVTQQ2PS
	KMOVB KMOVW KMOVD KMOVQ KORW KORB KORD KORQ KANDW KANDB KANDD KANDNW KXORW KXORB KXNORW KXNORB KNOTW KNOTB KORTESTW KORTESTB KORTESTD KTESTW KTESTB
	KSHIFTLW KSHIFTRW KSHIFTLD KSHIFTRD KUNPCKBW KADDW
	BZHIQ BZHIL SHLXQ SHLXL SHRXQ SHRXL TZCNTQ TZCNTL ANDNQ ANDNL PEXTQ PDEPQ`)

func set(names string) map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(names) {
		m[n] = true
	}
	return m
}

// checkAssembly returns what is wrong with a file of this name.
func checkAssembly(name, src string) []string {
	var faults []string
	level := ""
	for _, l := range []string{"avx2", "avx512", "avx512bf16", "amxbf16", "avx512vnni"} {
		if strings.HasSuffix(name, "_"+l+"_amd64.s") {
			level = strings.ToUpper(l)
		}
	}
	if level == "" {
		return []string{name + ": the name states no instruction set; want _avx2_amd64.s, _avx512_amd64.s, _avx512bf16_amd64.s, _avx512vnni_amd64.s or _amxbf16_amd64.s"}
	}
	for i, line := range strings.Split(src, "\n") {
		if strings.Contains(line, "BYTE $") && (!strings.HasSuffix(level, "BF16") && level != "AVX512VNNI" || !encoded.MatchString(line)) {
			faults = append(faults, fmt.Sprintf("%s:%d: bytes that no comment names as an instruction of the level %s", name, i+1, level))
		}
	}
	fns := parseAssembly(src)
	if len(fns) == 0 {
		faults = append(faults, name+": no function found")
	}
	for _, f := range fns {
		bad := func(line int, format string, args ...any) {
			faults = append(faults, fmt.Sprintf("%s:%d: %s: %s", name, line, f.name, fmt.Sprintf(format, args...)))
		}
		if !strings.HasSuffix(f.name, level) {
			bad(f.line, "the name doesn't end in %s", level)
		}
		if !slices.Contains(strings.Split(f.flags, "|"), "NOSPLIT") {
			bad(f.line, "no NOSPLIT")
		}
		if !strings.HasPrefix(f.frame, "$0-") {
			bad(f.line, "frame %s, want $0", f.frame)
		}
		checkCode(f, level, bad)
	}
	return faults
}

func checkCode(f function, level string, bad func(line int, format string, args ...any)) {
	wide := slices.ContainsFunc(f.code, func(i instruction) bool { return slices.ContainsFunc(i.args, wideReg.MatchString) })
	for n, i := range f.code {
		op, suffix, _ := strings.Cut(i.op, ".")
		vector := slices.ContainsFunc(i.args, func(a string) bool { return vectorReg.MatchString(a) || maskReg.MatchString(a) })
		evex := suffix != ""
		for _, a := range i.args {
			if m := vectorReg.FindStringSubmatch(a); m != nil && (a[0] == 'Z' || len(m[1]) > 1 && m[1] >= "16") || maskReg.MatchString(a) {
				evex = true
			}
			for _, w := range word.FindAllString(a, -1) {
				if w == "R14" || w == "BP" || w == "BPB" {
					bad(i.line, "%s uses %s, the runtime's", i.op, w)
				}
				if w == "SP" {
					bad(i.line, "%s uses the stack", i.op)
				}
			}
		}
		if stackUse.MatchString(op) {
			bad(i.line, "%s uses the stack", op)
		}
		switch {
		case avx512Ops[op] && level == "AVX2" || evex && level == "AVX2":
			bad(i.line, "%s %s needs AVX-512", i.op, strings.Join(i.args, ", "))
		case avx2Ops[op] || fma.MatchString(op) || avx512Ops[op] || op == "VPDPBUSD" && level == "AVX512VNNI":
		case op[0] == 'V' && op != "VERR" && op != "VERW":
			bad(i.line, "%s is not known to be of the level %s", op, level)
		case vector:
			bad(i.line, "%s is legacy SSE among AVX instructions", op)
		case notBaseline.MatchString(op):
			bad(i.line, "%s is not promised by any level", op)
		}
		leaves := op == "RET" || op == "CALL" || op == "JMP" && len(i.args) == 1 && strings.HasSuffix(i.args[0], "(SB)")
		if leaves && wide && (n == 0 || f.code[n-1].op != "VZEROUPPER") {
			bad(i.line, "%s without VZEROUPPER before it", op)
		}
	}
	if len(f.code) == 0 || f.code[len(f.code)-1].op != "RET" && f.code[len(f.code)-1].op != "JMP" {
		bad(f.line, "the last instruction is no RET or JMP")
	}
}

// encoded is a line of bytes with the one instruction that they are, one that Go's
// assembler doesn't know and the levels of bfloat16 promise.
var encoded = regexp.MustCompile(`^\t(BYTE \$0x[0-9a-f]{2}(; )?)+ // (LDTILECFG|TILERELEASE|TILELOADD|TILESTORED|TILEZERO|TDPBF16PS|VDPBF16PS|VCVTNE2?PS2BF16|PREFETCHW)( |$)`)

// notBaseline are general instructions beyond x86-64-v1 and outside the
// levels' guards.
var notBaseline = regexp.MustCompile(`^(ANDN|BEXTR|BLSI|BLSR|BLSMSK|BZHI|LZCNT|TZCNT|POPCNT|MOVBE|MULX|PDEP|PEXT|RORX|SARX|SHLX|SHRX|ADCX|ADOX|CRC32|PCLMUL|AES|SHA|T[DI][LP]|LDTILE)`)

func TestAssemblyKeepsItsRules(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_amd64.s") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, f := range checkAssembly(path, string(src)) {
			t.Error(f)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, files, 10, "the walk found no assembly")
}

// Each rule must fire on the smallest function that breaks it, once.
func TestAssemblyRulesFire(t *testing.T) {
	const ok = "TEXT ·fAVX2(SB), NOSPLIT, $0-8\n\tMOVQ p+0(FP), SI\n\tVMOVUPS (SI), Y0\n\tVZEROUPPER\n\tRET\n"
	require.Empty(t, checkAssembly("f_avx2_amd64.s", ok))
	for _, c := range []struct{ name, old, new, want string }{
		{"legacy load", "VMOVUPS (SI), Y0", "MOVUPS (SI), X0", "MOVUPS is legacy SSE"},
		{"legacy scalar", "VMOVUPS (SI), Y0", "MOVSS (SI), X0", "MOVSS is legacy SSE"},
		{"legacy logic", "VMOVUPS (SI), Y0", "XORPS X1, X1", "XORPS is legacy SSE"},
		{"legacy move", "VMOVUPS (SI), Y0", "MOVQ SI, X1", "MOVQ is legacy SSE"},
		{"legacy in a macro", "VMOVUPS (SI), Y0", "VXORPS Y1, Y1, Y1\n#define M(r) VMOVAPS r, r; \\\n ADDSS r, r\n\tM(X3)", "ADDSS is legacy SSE"},
		{"no VZEROUPPER", "\tVZEROUPPER\n", "", "RET without VZEROUPPER"},
		{"an early return", "\tVMOVUPS", "\tJEQ x\n\tRET\nx:\n\tVMOVUPS", "RET without VZEROUPPER"},
		{"a tail call", "\tVZEROUPPER\n\tRET", "\tVZEROUPPER\n\tRET\n\tJMP ·gAVX2(SB)", "JMP without VZEROUPPER"},
		{"ZMM", "Y0", "Z0", "needs AVX-512"},
		{"high register", "Y0", "Y16", "needs AVX-512"},
		{"mask", "Y0", "K1, Y0", "needs AVX-512"},
		{"EVEX only", "VMOVUPS (SI), Y0", "VRNDSCALEPS $8, Y1, Y0", "needs AVX-512"},
		{"broadcast operand", "VMOVUPS (SI), Y0", "VADDPS.BCST (SI), Y0, Y0", "needs AVX-512"},
		{"beyond the guard", "VMOVUPS (SI), Y0", "VDPBF16PS Y0, Y0, Y0", "VDPBF16PS is not known"},
		{"BMI2", "VMOVUPS (SI), Y0", "SHLXQ AX, BX, CX\n\tVMOVUPS (SI), Y0", "SHLXQ AX, BX, CX needs AVX-512"},
		{"POPCNT", "VMOVUPS (SI), Y0", "POPCNTQ AX, BX\n\tVMOVUPS (SI), Y0", "POPCNTQ is not promised"},
		{"g", "SI", "R14", "uses R14"},
		{"frame pointer", "MOVQ p+0(FP), SI", "MOVQ (AX)(BP*4), SI", "uses BP"},
		{"stack", "MOVQ p+0(FP), SI", "MOVQ x-8(SP), SI", "uses the stack"},
		{"push", "MOVQ p+0(FP), SI", "PUSHQ SI", "uses the stack"},
		{"split", "NOSPLIT", "NOPTR", "no NOSPLIT"},
		{"frame", "$0-8", "$16-8", "frame $16-8"},
		{"symbol", "fAVX2", "f", "doesn't end in AVX2"},
		{"no end", "\tVZEROUPPER\n\tRET\n", "", "the last instruction is no RET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := strings.ReplaceAll(ok, c.old, c.new)
			require.NotEqual(t, ok, src)
			faults := checkAssembly("f_avx2_amd64.s", src)
			require.NotEmpty(t, faults)
			require.Contains(t, strings.Join(faults, "\n"), c.want)
		})
	}
	require.Empty(t, checkAssembly("f_avx512_amd64.s", strings.ReplaceAll(strings.ReplaceAll(ok, "AVX2", "AVX512"), "Y0", "Z31")))
	require.Contains(t, checkAssembly("f_avx512_amd64.s", strings.ReplaceAll(ok, "VMOVUPS (SI), Y0", "VDPBF16PS Z0, Z0, Z0"))[1], "VDPBF16PS is not known")
	vnni := strings.ReplaceAll(strings.ReplaceAll(ok, "AVX2", "AVX512VNNI"), "VMOVUPS (SI), Y0", "VPDPBUSD (SI), Z0, Z0")
	require.Empty(t, checkAssembly("f_avx512vnni_amd64.s", vnni))
	require.Contains(t, checkAssembly("f_avx512bf16_amd64.s", strings.ReplaceAll(vnni, "VNNI", "BF16"))[0], "VPDPBUSD is not known")
	const bytes = "\tBYTE $0x62; BYTE $0xf2 // VDPBF16PS Z0, Z0, Z0\n\tVZEROUPPER"
	for name, src := range map[string]string{"f_avx512bf16_amd64.s": bytes, "f_amxbf16_amd64.s": strings.ReplaceAll(bytes, "VDPBF16PS", "TDPBF16PS")} {
		symbol := strings.ToUpper(strings.Split(name, "_")[1])
		require.Empty(t, checkAssembly(name, strings.ReplaceAll(strings.ReplaceAll(ok, "AVX2", symbol), "\tVZEROUPPER", src)))
	}
	require.Contains(t, checkAssembly("f_avx2_amd64.s", strings.ReplaceAll(ok, "\tVZEROUPPER", bytes))[0], "no comment names")
	require.Contains(t, checkAssembly("f_amxbf16_amd64.s", strings.ReplaceAll(ok, "\tRET", "\tBYTE $0x62 // magic\n\tRET"))[0], "no comment names")
	require.Contains(t, checkAssembly("f_amd64.s", ok)[0], "states no instruction set")
	require.Contains(t, checkAssembly("f_avx2_amd64.s", "")[0], "no function")
}
