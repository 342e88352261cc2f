package ref

// GEMM writes act(scale·A·B + bias + residual) to c [M,N] for A [M,K] and
// b [K,N], both row-major without gaps. bias [N] and residual [M,N] may be nil.
// The scale is taken as it is: 0 gives 0.
func GEMM(c, a, b, bias, residual []float32, scale float64, act Act, M, N, K int) {
	for m := range M {
		for n := range N {
			var sum float64
			for k := range K {
				sum += float64(a[m*K+k]) * float64(b[k*N+n])
			}
			v := sum * scale
			if bias != nil {
				v += float64(bias[n])
			}
			if residual != nil {
				v += float64(residual[m*N+n])
			}
			c[m*N+n] = float32(act.Apply(v))
		}
	}
}
