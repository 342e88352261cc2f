package bench

import (
	"fmt"
	"strings"
)

// Multiply-adds, each counted as two, of one picture, one text of 77 tokens,
// one latent of 64×64 and one token of the published models. Source: peers/PEERS.md, by torch's
// FlopCounterMode.
const (
	visionFLOPs = 8.81762304e9
	textFLOPs   = 5.959540736e9
	detrFLOPs   = 162.334464e9
	unetFLOPs   = 803.27344e9
	vaeFLOPs    = 2514.518934e9
	tokenFLOPs  = 2 * (4*7087872 + 49408*768)
)

// workloads returns all workloads, kernels first. Source: peers/peers_cpu.py.
func workloads() []Work {
	var list []Work
	for _, s := range [][3]int{
		{512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048}, {50, 768, 3072}, {50, 3072, 768}, {77, 768, 768},
		{77, 512, 2048}, {4096, 320, 320}, {4096, 320, 2560}, {1024, 640, 640}, {256, 1280, 1280}, {1, 768, 49408},
		{1, 768, 3072}, {400, 768, 768}, {850, 256, 2048},
	} {
		list = append(list, gemmWork(s[0], s[1], s[2]))
	}
	for _, s := range [][6]int{
		{320, 64, 64, 320, 3, 1}, {640, 32, 32, 640, 3, 1}, {1280, 16, 16, 1280, 3, 1}, {1280, 8, 8, 1280, 3, 1},
		{512, 64, 64, 512, 3, 1}, {256, 256, 256, 256, 3, 1}, {128, 512, 512, 128, 3, 1}, {64, 200, 267, 64, 3, 1},
		{512, 25, 34, 512, 3, 1}, {256, 200, 267, 64, 1, 1}, {1024, 50, 67, 256, 1, 1}, {3, 800, 1066, 64, 7, 2},
		{3, 224, 224, 768, 32, 32},
	} {
		list = append(list, convWork(s[0], s[1], s[2], s[3], s[4], s[5]))
	}
	for _, s := range [][4]int{{8, 4096, 4096, 40}, {8, 4096, 77, 40}, {8, 1024, 1024, 80}, {12, 50, 50, 64}, {8, 77, 77, 64}, {8, 850, 850, 32}} {
		list = append(list, attnWork(s[0], s[1], s[2], s[3]))
	}
	list = append(list,
		opWork("groupnorm", 2, 320, 64, 64), opWork("groupnorm", 1, 128, 512, 512), opWork("layernorm", 2*4096, 320),
		opWork("layernorm", 50, 768), opWork("softmax", 8*4096, 1024), opWork("softmax", 12*50, 50),
		opWork("gelu", 4096, 1280), opWork("gelu", 50, 3072), opWork("silu", 2, 320, 64, 64), opWork("relu", 64, 400, 533))

	for _, b := range []int{1, 8, 32} {
		list = append(list, Work{Name: fmt.Sprintf("clip image b%d", b), Kind: "model", Model: "clip_vision", Bt: b, FLOPs: visionFLOPs * float64(b)})
	}
	for _, s := range [][2]int{{1, 77}, {32, 77}, {1, 16}, {32, 16}} {
		list = append(list, Work{Name: fmt.Sprintf("clip text b%dx%d", s[0], s[1]), Kind: "model", Model: "clip_text", Bt: s[0], Len: s[1],
			FLOPs: textFLOPs * float64(s[0]*s[1]) / 77})
	}
	list = append(list, Work{Name: fmt.Sprintf("detr %dx%d", detrH, detrW), Kind: "model", Model: "detr", Bt: 1, FLOPs: detrFLOPs})
	list = append(list, greedy(1), greedy(16))
	return append(list,
		Work{Name: "unet b2 (one CFG step)", Kind: "model", Model: "unet", Bt: 2, FLOPs: 2 * unetFLOPs},
		Work{Name: "vae decode 512", Kind: "model", Model: "vae_decoder", Bt: 1, FLOPs: vaeFLOPs})
}

// large returns whole models at the batches that GPUs are measured by. Source:
// peers/peers_gpu.py.
func large() []Work {
	var list []Work
	add := func(name, kind, model string, length int, flops float64, batches ...int) {
		for _, b := range batches {
			list = append(list, Work{Name: fmt.Sprintf("%s b%d", name, b), Kind: kind, Model: model, Bt: b, Len: length, FLOPs: flops * float64(b)})
		}
	}
	add("unet step", "model", "unet", 0, unetFLOPs, 2, 16, 32)
	add("unet step as drawn", "model", "unet_guided", 0, unetFLOPs, 2, 16, 32)
	add("vae decode 512", "model", "vae_decoder", 0, vaeFLOPs, 1, 8)
	add("20-step image 512", "model", "image", 0, 2*imageSteps*unetFLOPs+vaeFLOPs, 1, 8, 16)
	add("clip image", "model", "clip_vision", 0, visionFLOPs, 1, 64, 256)
	add("clip text 77", "model", "clip_text", 77, textFLOPs, 1, 64)
	add("detr", "model", "detr", 0, detrFLOPs, 1, 8)
	return append(list, greedy(1), greedy(64), greedy(512))
}

// greedy is the writing of a batch of captions.
func greedy(batch int) Work {
	return Work{Name: fmt.Sprintf("greedy%d b%d", greedyTokens, batch), Kind: "greedy", Bt: batch, FLOPs: tokenFLOPs * float64(greedyTokens*batch)}
}

func gemmWork(m, k, n int) Work {
	return Work{Name: fmt.Sprintf("gemm %dx%dx%d", m, k, n), Kind: "gemm", M: m, K: k, N: n, FLOPs: 2 * float64(m) * float64(k) * float64(n)}
}

func convWork(c, h, w, co, ks, s int) Work {
	v := Work{Name: fmt.Sprintf("conv%dx%d/%d %d->%d %dx%d", ks, ks, s, c, co, h, w), Kind: "conv", B: 1, C: c, H: h, W: w, Co: co, Ks: ks, S: s}
	out := func(n int) float64 { return float64((n+2*v.pad()-ks)/s + 1) }
	v.FLOPs = 2 * float64(ks*ks*c*co) * out(h) * out(w)
	return v
}

func attnWork(heads, lq, lk, d int) Work {
	return Work{Name: fmt.Sprintf("attn %dx%dx%d d%d", heads, lq, lk, d), Kind: "attn", B: 1, Hd: heads, Lq: lq, Lk: lk, D: d,
		FLOPs: 4 * float64(heads*d) * float64(lq*lk)}
}

func opWork(op string, shape ...int) Work {
	v := Work{Name: op + " " + strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "x"), Kind: "op", Op: op, Shape: shape, Bytes: 8}
	for _, n := range shape {
		v.Bytes *= float64(n)
	}
	return v
}
