//go:build !amd64

package gemm

func (k *Kernel) run(t *tile) { tilePortable(t) }
