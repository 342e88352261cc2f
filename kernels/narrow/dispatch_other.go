//go:build !amd64

package narrow

// These aren't reached: For returns no kernel here.
func (k *Kernel) product(*block) {}

func (k *Kernel) quantise(*quantise) {}

func (k *Kernel) attend(*attend) {}
