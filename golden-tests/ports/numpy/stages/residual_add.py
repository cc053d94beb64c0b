"""Residual: the sum of the stream and a branch. The branch has been through its post-norm before."""


def residual_add(x, branch):
    """[queryLen, modelDim] each"""
    return x + branch
