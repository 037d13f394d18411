import surely_not_installed


class Model:
    pass
